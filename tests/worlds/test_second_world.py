"""The second world: the same from a seed, its own book as the product counts it, and near the anchors."""

from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import params as settings
from features.inputs.load import load_tables
from features.revenue.retention import account_retention
from tests.worlds.customers import INSOLVENCY, NEVER, day_of_month
from tests.worlds.oracle import SecondTruth, replay_second
from tests.worlds.second_world import History, World, account_ids, history, written
from tests.worlds.tables import lines_of, tables_of

SMALL = World(accounts=70, months=14, ends_on=date(2025, 3, 1), seed=5)
LARGE = World(accounts=1500, months=30, ends_on=date(2025, 7, 1), seed=11)


@pytest.fixture(scope="module")
def large() -> History:
    return history(LARGE)


@pytest.fixture(scope="module")
def small() -> History:
    return history(SMALL)


@pytest.fixture(scope="module")
def tables(small: History) -> dict[str, pd.DataFrame]:
    return dict(tables_of(small))


@pytest.fixture(scope="module")
def truth() -> SecondTruth:
    return _truth(futures=50)


def _truth(*, futures: int, as_of: date = date(2024, 7, 1)) -> SecondTruth:
    return replay_second(
        accounts=LARGE.accounts,
        months=LARGE.months,
        ends_on=LARGE.ends_on,
        seed=LARGE.seed,
        as_of=as_of,
        horizon_months=12,
        futures=futures,
    )


def test_everything_follows_from_the_seed(tables: dict[str, pd.DataFrame]) -> None:
    again = dict(tables_of(history(SMALL)))
    other = dict(tables_of(history(World(SMALL.accounts, SMALL.months, SMALL.ends_on, seed=6))))
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name])
        assert not table.equals(other[name]), name


def test_nothing_is_told_that_was_not_known_when_the_world_ends(tables: dict[str, pd.DataFrame]) -> None:
    end = pd.Timestamp(SMALL.ends_on)
    for name, table in tables.items():
        for column in ("recorded_at", "signed_on", "ended_on", "notice_on", "left_on", "achieved_on", "resolved_at"):
            if column in table:
                assert not (pd.to_datetime(table[column]) >= end).any(), f"{name}.{column}"


@pytest.mark.usefixtures("costly")
def test_its_own_book_is_what_the_product_counts(tmp_path: Path) -> None:
    """To the cent and account by account: late renewals, silence in its grace, added seats, returns and all."""
    past = written(tmp_path / "world", SMALL)
    source = [f"source.path={tmp_path / 'world'}", "source.kind=files", f"source.data_until={SMALL.ends_on}"]
    params = settings.load(None, [*source, f"data_dir={tmp_path / 'data'}", "threads=1"])
    loaded = load_tables(params)
    assert not [report.table for report in loaded.report.tables if report.rows_read != report.rows_kept]
    for start, end in ((date(2024, 2, 1), date(2025, 2, 1)), (date(2024, 9, 1), date(2025, 3, 1))):
        rules = {"rules": params.revenue, "budget": params.budget}
        counted = account_retention(loaded.tables, start=start, end=end, known_by=SMALL.ends_on, **rules)
        counted = counted[counted["starting_arr"] > 0].set_index("account_id").sort_index()
        ours = _kept(past.book, start, end)
        assert (counted["starting_arr"].to_numpy() == ours["starting_arr"].to_numpy()).all()
        assert (counted["ending_arr"].to_numpy() == ours["ending_arr"].to_numpy()).all()


def _kept(book: pd.DataFrame, start: date, end: date) -> pd.DataFrame:
    """ARR at both ends of the customers at the start; whoever left in between counts nothing."""
    months = range((start.year - 1970) * 12 + start.month - 1, (end.year - 1970) * 12 + end.month)
    wide = book[book["month"].isin(months)].pivot(index="number", columns="month", values="arr").fillna(0)
    wide = wide[wide[months[0]] > 0]
    kept = (wide > 0).all(axis=1)
    both = pd.DataFrame({"starting_arr": wide[months[0]], "ending_arr": wide[months[-1]].where(kept, 0)})
    return both.set_axis(account_ids(both.index.to_numpy())).sort_index()


def test_it_lies_near_the_anchors(large: History) -> None:
    """Anchors for realistic data: logo churn by segment, GRR, NRR that rises with the value of the contract."""
    book, months = large.book, sorted(large.book["month"].unique())
    parts = []
    for month in months[:-12:6]:
        before = book[book["month"] == month].set_index("number")
        after = book[book["month"] == month + 12].set_index("number")["arr"].reindex(before.index).fillna(0)
        parts.append(before.assign(after=after))
    both = pd.concat(parts)
    lost = (both["after"] == 0).groupby(both["segment"]).mean()
    assert 0.26 < lost[0] < 0.40
    assert 0.10 < lost[1] < 0.20
    assert 0.03 < lost[2] < 0.10
    assert 0.84 < both[["arr", "after"]].min(axis=1).sum() / both["arr"].sum() < 0.95
    bands = pd.cut(both["arr"], [0, 25e3, 100e3, np.inf], labels=False)
    by_size = (both.groupby(bands)["after"].sum() / both.groupby(bands)["arr"].sum()).tolist()
    assert 0.85 < by_size[0] < by_size[1] < by_size[2] < 1.15
    assert both["arr"].max() > 15 * both["arr"].median()


def test_a_term_ends_early_by_insolvency_alone(large: History) -> None:
    lines, customers = lines_of(large), large.customers
    early = lines[lines["ended"].notna() & (lines["ends"] < NEVER)]
    assert len(early) > 5
    assert (customers.how[early["number"]] == INSOLVENCY).all()
    lasting = customers.ends[(customers.gone == NEVER) & ~customers.monthly]
    assert (day_of_month(lasting) > 1).all(), "no term may hang on the order of a day on which snapshots are made"


def test_value_shows_outside_the_main_feature(small: History, tables: dict[str, pd.DataFrame]) -> None:
    use = tables["usage"]
    assert set(use["feature"]) > {"workspace"}
    share = (use["feature"] != "workspace").groupby(use["account_id"], observed=True).mean()
    past = small.rows.groupby("number")["value"].mean()
    seen = share.reindex(account_ids(past.index.to_numpy())).to_numpy()
    assert 0.3 < pd.Series(seen).corr(pd.Series(past.to_numpy()), method="spearman") < 0.95
    depth = use["quantity"].groupby(use["account_id"], observed=True).mean()
    told = depth.reindex(account_ids(past.index.to_numpy())).reset_index(drop=True)
    assert told.corr(past.reset_index(drop=True), method="spearman") < 0.85, "no single figure tells it all"


def test_the_oracle_adds_up(truth: SecondTruth) -> None:
    assert (np.diff(truth.churn_probability, axis=1) >= 0).all(), "who left has left, returned or not"
    total = truth.churn_probability + truth.expansion_probability + truth.contraction_probability
    assert total.max() <= 1 + 1e-12
    expected = truth.expected_arr.sum(axis=0) / truth.arr.sum()
    np.testing.assert_allclose(truth.nrr.mean(axis=0), expected, rtol=1e-12)
    assert (truth.grr <= np.minimum(truth.nrr, 1) + 1e-12).all()


def test_what_came_to_pass_is_one_of_the_oracle_s_futures(truth: SecondTruth, large: History) -> None:
    """The world itself must look like a draw: its accounts at the day, and counts within four standard deviations."""
    start, end = date(2024, 7, 1), date(2025, 7, 1)
    came = _kept(large.book, start, end)
    before = pd.Series(truth.arr, index=pd.Index(truth.account_ids)).sort_index()
    assert before.index.tolist() == came.index.tolist()
    assert (before == came["starting_arr"]).all()
    lost = 1 - truth.logo_retention[:, -1]
    assert abs((came["ending_arr"] == 0).mean() - lost.mean()) < 4 * lost.std()
    nrr = truth.nrr[:, -1]
    assert abs(came["ending_arr"].sum() / came["starting_arr"].sum() - nrr.mean()) < 4 * nrr.std()


def test_the_oracle_knows_who_leaves(truth: SecondTruth) -> None:
    """Skill of the true probabilities: much, and far from all."""
    chance = truth.churn_probability[:, -1]
    order = np.argsort(chance)
    tenths = [chance[part].mean() for part in np.array_split(order, 10)]
    assert all(low <= high for low, high in pairwise(tenths))
    assert tenths[0] < 0.03
    assert 0.35 < tenths[-1] < 0.95


def test_a_day_that_is_no_first_of_a_month_is_refused() -> None:
    with pytest.raises(ValueError, match=r"as_of is 2024-07-02; .* first of a month"):
        _truth(futures=1, as_of=date(2024, 7, 2))
