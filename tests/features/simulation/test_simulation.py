"""The simulated company: what its tables say, how they hang together, and that they follow the hidden state."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.revenue import arr_by_account
from features.simulation import simulate, write_company
from features.simulation.emission import relations, success_plan
from features.simulation.emission.commercial import accounts, contracts
from features.simulation.emission.display import Display, account_ids
from features.simulation.emission.files import write_tables
from features.simulation.emission.planted_usage import ALL_FEATURES, plant
from features.simulation.emission.product_usage import usage_by_month
from features.simulation.emission.product_users import users_of
from features.simulation.emission.relations import ARTICLE_OF_RENEWAL, engagement
from features.simulation.history import History, live_through, record_history, start_company
from features.simulation.line_book import LineBook
from features.simulation.months import add_months, as_date
from features.simulation.state import mrr_at
from features.simulation.world import RULES, SEGMENTS, Action, Rules
from features.tables import contract
from params import Budget

pytestmark = pytest.mark.usefixtures("costly")

ENDS_ON = date(2026, 1, 1)
Frames = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def frames() -> Frames:
    return simulate(accounts=300, months=36, ends_on=ENDS_ON, seed=3)


@pytest.fixture(scope="module")
def history() -> History:
    return record_history(accounts=1500, months=48, ends_on=ENDS_ON, seed=5)


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_data(tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_company(tmp_path / folder, accounts=40, months=12, ends_on=ENDS_ON, seed=seed)
    a, b, c = (digests(tmp_path / folder) for folder in "abc")
    assert set(a) == {f"{table}.parquet" for table in contract.TABLES}
    assert a == b
    assert all(a[name] != c[name] for name in a)


def test_files_and_frames_hold_the_same(tmp_path: Path) -> None:
    write_company(tmp_path / "company", accounts=30, months=12, ends_on=ENDS_ON, seed=1)
    for name, frame in simulate(accounts=30, months=12, ends_on=ENDS_ON, seed=1).items():
        types = {column.name: column.type.sql for column in contract.TABLES[name]}
        typed = ", ".join(f'CAST("{column}" AS {types[column]}) AS "{column}"' for column in frame.columns)
        file = tmp_path / "company" / f"{name}.parquet"
        with duckdb.connect() as connection:
            connection.register("frame", frame)
            connection.execute(f"CREATE TABLE shown AS SELECT {typed} FROM frame")
            connection.execute(f"CREATE TABLE written AS SELECT {typed} FROM '{file}'")
            assert connection.execute("SELECT count(*) FROM written").fetchone() == (len(frame),)
            differing = connection.execute("SELECT count(*) FROM (FROM shown EXCEPT ALL FROM written)").fetchone()
        assert differing == (0,), name


def test_all_tables_follow_the_contract(frames: Frames, tmp_path: Path) -> None:
    assert set(frames) == set(contract.TABLES)
    for name, frame in frames.items():
        declared = contract.TABLES[name]
        assert set(declared.required_names) <= set(frame.columns) <= set(declared.names)
        for column in declared:
            if column.allowed and column.name in frame.columns:
                assert set(frame[column.name].dropna()) <= set(column.allowed)
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=ENDS_ON)
    with tables.connect(budget=Budget(1, 0.5)) as connection:
        for name, frame in frames.items():
            counted = connection.execute(f"SELECT count(*) FROM raw.{name}").fetchone()
            assert counted == (len(frame),)


def test_nothing_is_known_that_has_not_happened_yet(frames: Frames) -> None:
    """Scheduled ends, signed starts and due days may lie ahead; an early end only where notice was given."""
    ahead = {("contracts", "starts_on"), ("contracts", "ends_on"), ("contracts", "ended_on"), ("goals", "due_on")}
    ahead |= {("accounts", "critical_event_on")}
    end = pd.Timestamp(ENDS_ON)
    for name, frame in frames.items():
        for column in frame.select_dtypes("datetime"):
            if (name, column) not in ahead:
                assert not (frame[column] >= end).any(), (name, column)
    lines = frames["contracts"]
    assert lines.loc[lines["ended_on"] >= end, "notice_on"].notna().all()
    assert (lines["signed_on"] <= lines["starts_on"]).mean() > 0.9


def test_keys_are_unique_and_every_row_belongs_to_an_account(frames: Frames) -> None:
    known = set(frames["accounts"]["account_id"])
    assert len(known) == 300
    assert not frames["accounts"].duplicated(["account_id", "valid_from"]).any()
    assert len(frames["accounts"]) > 300, "some accounts changed"
    for name, key in (("contracts", "contract_id"), ("contacts", "contact_id")):
        assert frames[name][key].is_unique
    for frame in frames.values():
        if "account_id" in frame:
            assert set(frame["account_id"].unique()) <= known
    assert set(frames["engagement"]["contact_id"].dropna()) <= set(frames["contacts"]["contact_id"])


def last_days(lines: pd.DataFrame) -> pd.Series:
    return lines["ended_on"].fillna(lines["ends_on"]).fillna(pd.Timestamp("2100-01-01"))


def test_no_two_lines_of_a_product_overlap(frames: Frames) -> None:
    lines = frames["contracts"].assign(last=last_days(frames["contracts"]))
    assert (lines["last"] > lines["starts_on"]).all()
    lines = lines.sort_values(["account_id", "product", "starts_on"])
    before = lines.groupby(["account_id", "product"])["last"].shift()
    assert not (before > lines["starts_on"]).any()


def test_a_change_within_a_term_starts_where_the_old_line_ended_and_ends_where_it_would_have(frames: Frames) -> None:
    lines = frames["contracts"]
    changes = lines[lines["kind"].isin(["upsell", "downsell"])]
    key = ["account_id", "product"]
    pairs = lines.dropna(subset="ended_on").merge(changes, left_on=[*key, "ended_on"], right_on=[*key, "starts_on"])
    assert len(pairs) > 50
    termed = pairs.dropna(subset="ends_on_x")
    assert ((termed["ends_on_x"] == termed["ends_on_y"]) | termed["notice_on_x"].notna()).all()


def test_terms_kinds_and_late_renewals_are_all_there(frames: Frames) -> None:
    lines = frames["contracts"]
    assert set(lines["kind"]) == {"new", "renewal", "upsell", "cross_sell", "downsell", "price_change"}
    first = lines[lines["kind"] == "new"]
    months = ((first["ends_on"] - first["starts_on"]).dt.days / 30.4).round()
    assert {1, 12, 24, 36} <= set(months.dropna())
    assert first["ends_on"].isna().any(), "evergreen"
    late = lines[lines["signed_on"] > lines["starts_on"]]
    assert len(late) > 5, "backdated"
    assert ((late["signed_on"] - late["starts_on"]).dt.days <= 28).all()
    yearly = lines[(lines["kind"] == "renewal") & ((lines["ends_on"] - lines["starts_on"]).dt.days > 300)]
    assert ((yearly["starts_on"] - yearly["signed_on"]).dt.days >= 30).mean() > 0.5, "signed ahead"


def leavers(lines: pd.DataFrame) -> pd.DataFrame:
    """The last lines of accounts whose cover ended well before the data."""
    lines = lines.assign(last=last_days(lines))
    final = lines[lines["last"] == lines.groupby("account_id")["last"].transform("max")]
    return final[final["last"] < pd.Timestamp(ENDS_ON) - pd.Timedelta(days=60)]


def test_some_leave_with_notice_some_in_silence_and_silence_leaves_no_trace(frames: Frames) -> None:
    gone = leavers(frames["contracts"])
    silent = gone[gone["notice_on"].isna() & (gone["last"] == gone["ends_on"])]
    noticed = gone[gone["notice_on"].notna()]
    assert len(silent) > 10
    assert silent["ended_on"].isna().all()
    assert len(noticed) > len(silent), "most give notice"
    yearly = noticed[noticed["ends_on"].notna() & ((noticed["ends_on"] - noticed["starts_on"]).dt.days > 200)]
    assert (yearly["ends_on"] - yearly["notice_on"]).dt.days.between(30, 91).all()


def test_about_three_percent_of_the_usage_comes_late(frames: Frames) -> None:
    usage = frames["usage"]
    old = usage[usage["used_on"] < pd.Timestamp("2025-10-01")]
    delay = (old["recorded_at"].dt.normalize() - old["used_on"]).dt.days
    assert (delay > 0).mean() == pytest.approx(0.03, abs=0.003)
    assert delay.max() >= 21
    assert (delay >= 0).all()
    assert (usage["quantity"] >= 1).all()


# ---------------------------------------------------------------------------------------------- levels


@pytest.fixture(scope="module")
def worlds() -> list[tuple[np.ndarray, np.ndarray]]:
    """MRR by month and account, and segments, of several companies."""
    found = []
    for seed in range(4):
        company, edges = start_company(
            accounts=1500, months=36, ends_on=ENDS_ON, seed=seed, rules=RULES, line_book=LineBook()
        )
        mrr = [mrr_at(company.state, int(edges[0]))]
        for month in range(36):
            live_through(company, edges, month, seed, LineBook())
            mrr.append(mrr_at(company.state, int(edges[month + 1])))
        found.append((np.array(mrr, dtype=float), company.profile.segment))
    return found


def retention(worlds: list[tuple[np.ndarray, np.ndarray]], segment: str | None) -> tuple[float, float, float]:
    """Mean NRR, GRR and logo retention over twelve months, from four dates of each company."""
    found = []
    for mrr, segments in worlds:
        names = np.array([each.name for each in SEGMENTS])[segments]
        chosen = mrr[:, names == segment] if segment else mrr
        for start in (0, 8, 16, 24):
            then, covered = chosen[start], (chosen[start : start + 13] > 0).all(axis=0)
            now = chosen[start + 12] * covered
            found.append(
                (now.sum() / then.sum(), np.minimum(now, then).sum() / then.sum(), covered.sum() / (then > 0).sum())
            )
    nrr, grr, logo = np.mean(found, axis=0)
    return float(nrr), float(grr), float(logo)


@pytest.mark.parametrize(
    ("segment", "nrr", "grr", "logo"),
    [
        (None, (1.00, 1.06), (0.88, 0.93), (0.78, 0.85)),
        ("small", (0.78, 0.90), (0.69, 0.79), (0.68, 0.77)),
        ("mid", (0.96, 1.04), (0.83, 0.90), (0.82, 0.89)),
        ("enterprise", (1.03, 1.13), (0.90, 0.95), (0.90, 0.95)),
    ],
)
def test_retention_is_at_the_levels_of_real_companies(
    worlds: list[tuple[np.ndarray, np.ndarray]],
    segment: str | None,
    nrr: tuple[float, float],
    grr: tuple[float, float],
    logo: tuple[float, float],
) -> None:
    for value, (low, high) in zip(retention(worlds, segment), (nrr, grr, logo), strict=True):
        assert low <= value <= high


def test_arr_of_the_hidden_state_is_what_the_revenue_arithmetic_finds_in_the_tables(
    frames: Frames, tmp_path: Path
) -> None:
    """Terms, notice, grace, late renewals and changes mean the same on both sides, to the cent."""
    frames = {name: frames[name] for name in ("accounts", "contracts", "fx_rates")}
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=ENDS_ON)
    world = {"accounts": 300, "months": 36, "ends_on": ENDS_ON, "seed": 3}
    company, edges = start_company(**world, rules=RULES, line_book=LineBook())  # type: ignore[arg-type]
    hidden = []
    for month in range(36):
        live_through(company, edges, month, 3, LineBook())
        hidden.append(mrr_at(company.state, int(edges[month + 1])))
    rules = params.load().revenue
    found = arr_by_account(
        tables,
        [as_date(day) for day in edges[1:]],
        known_by=ENDS_ON,
        rules=rules,
        budget=Budget(1, 0.5),
        rates_on=date(2025, 1, 1),
    ).pivot(index="instant", columns="account_id", values="arr")
    rates = frames["fx_rates"].loc[frames["fx_rates"]["month"] == "2025-01-01"].set_index("currency")["rate"]
    rate = np.array([1.0, rates["EUR"], rates["GBP"]])[company.profile.currency]
    arr = found.reindex(columns=account_ids(3, 300)).fillna(0.0).to_numpy()
    np.testing.assert_allclose(np.array(hidden) * 0.12 * rate, arr, rtol=0, atol=0.03)


# ---------------------------------------------------------------------------------------------- causes and signals


def test_csms_act_more_where_the_risk_is_higher(history: History) -> None:
    live = Display(history).live
    view, done = history.states["view"], history.states["done"]
    low, high = np.quantile(view[live], [1 / 3, 2 / 3])
    at_low, at_high = done[live & (view < low)].mean(axis=0), done[live & (view > high)].mean(axis=0)
    assert (at_high > 1.3 * at_low).all()


def test_their_view_of_the_risk_is_noisy(history: History) -> None:
    live = Display(history).live
    correlation = np.corrcoef(history.states["view"][live], history.states["health"][live])[0, 1]
    assert -0.9 < correlation < -0.4


def without(name: str) -> Rules:
    def never(action: Action) -> Action:
        return replace(action, monthly_logit=-60.0) if action.name == name else action

    return replace(RULES, actions=tuple(never(action) for action in RULES.actions))


def test_leaving_out_the_newsletter_changes_nothing() -> None:
    world = {"accounts": 200, "months": 24, "ends_on": ENDS_ON, "seed": 2}
    usual = record_history(**world)  # type: ignore[arg-type]
    spared = record_history(**world, rules=without("newsletter"))  # type: ignore[arg-type]
    assert usual.states["done"][..., -1].sum() > 100
    assert spared.states["done"][..., -1].sum() == 0
    pd.testing.assert_frame_equal(contracts(Display(usual)), contracts(Display(spared)))
    np.testing.assert_array_equal(usual.states["health"], spared.states["health"])


@pytest.mark.parametrize("name", [action.name for action in RULES.actions if action.effect > 0])
def test_leaving_out_another_action_lowers_health_by_its_true_effect(name: str) -> None:
    """Health forgets a tenth a month: after the first month nothing but the effect is lost."""
    world = {"accounts": 400, "months": 1, "ends_on": ENDS_ON, "seed": 2}
    usual = record_history(**world)  # type: ignore[arg-type]
    spared = record_history(**world, rules=without(name))  # type: ignore[arg-type]
    position = [action.name for action in RULES.actions].index(name)
    acted = usual.states["done"][0, :, position]
    lost = usual.states["health"][0] - spared.states["health"][0]
    assert acted.any()
    np.testing.assert_allclose(lost[acted], RULES.actions[position].effect, atol=1e-5)
    np.testing.assert_allclose(lost[~acted], 0.0, atol=1e-6)


def test_losing_the_champion_lowers_health(history: History) -> None:
    champion, health = history.states["champion"], history.states["health"]
    left = champion[:-1] & ~champion[1:]
    stayed = champion[:-1] & champion[1:]
    change = health[1:] - health[:-1]
    assert change[left].mean() < change[stayed].mean() - 0.3


def test_health_and_usage_fall_before_an_account_leaves(history: History) -> None:
    """Usage a seat of those who left, in their last months against a year before."""
    display, edges = Display(history), history.edges
    until = history.company.state.until
    left = np.flatnonzero((until < edges[-1]) & (until > edges[30]) & (history.company.profile.joins < edges[6]))
    month = np.searchsorted(edges, until[left], side="right") - 1
    parts = list(usage_by_month(display))
    rows = np.array([part.groupby("account_id", observed=False)["user_id"].count().to_numpy() for part in parts])
    a_seat = rows / np.maximum(history.states["seats"], 1)
    assert len(left) > 80
    for signal, fall in ((history.states["health"], 0.15), (a_seat, 0.05 * a_seat[display.live].mean())):
        before = np.mean([signal[month - back, left] for back in (12, 13, 14)])
        last = np.mean([signal[month - back, left] for back in (1, 2, 3)])
        assert last < before - fall


def mean_health(display: Display) -> pd.Series:
    """Each account's mean health over its months as a customer."""
    lived = display.live.any(axis=0)
    health = np.where(display.live, display.history.states["health"], np.nan)[:, lived]
    return pd.Series(np.nanmean(health, axis=0), index=display.account_ids[lived])


@pytest.mark.parametrize(
    ("table", "kept", "lowest", "highest"),
    [
        ("tickets", None, -0.9, -0.1),
        ("surveys", ("kind", "nps"), 0.3, 0.9),
        ("engagement", ("kind", "community"), 0.1, 0.9),
    ],
)
def test_tickets_surveys_and_engagement_follow_health_with_noise(
    history: History, table: str, kept: tuple[str, str] | None, lowest: float, highest: float
) -> None:
    display = Display(history)
    frame: pd.DataFrame = getattr(success_plan if table == "goals" else relations, table)(display)
    frame = frame if kept is None else frame[frame[kept[0]] == kept[1]]
    accounts = frame.groupby("account_id")
    months = pd.Series(display.live.sum(axis=0), index=display.account_ids)
    seen = (
        accounts["score"].mean() if table == "surveys" else accounts.size().reindex(months.index, fill_value=0) / months
    )
    together = pd.concat([mean_health(display), seen], axis=1).dropna().corr(method="spearman").iloc[0, 1]
    assert lowest < together < highest


# ---------------------------------------------------------------------------------------------- writing


def test_writing_replaces_an_earlier_company_and_leaves_nothing_else(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_company(tmp_path / "company", accounts=20, months=6, ends_on=ENDS_ON, seed=seed)
    assert [entry.name for entry in tmp_path.iterdir()] == ["company"]


def test_a_run_that_fails_leaves_the_earlier_company_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "company"
    write_company(folder, accounts=20, months=6, ends_on=ENDS_ON, seed=1)
    before = digests(folder)

    def broken() -> Iterator[pd.DataFrame]:
        yield pd.DataFrame({"account_id": ["A"], "action": ["x"]})
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write_tables(folder, {"csm_actions": broken()})
    assert digests(folder) == before


def test_a_company_left_between_two_renames_is_put_back(tmp_path: Path) -> None:
    folder = tmp_path / "company"
    write_company(folder, accounts=20, months=6, ends_on=ENDS_ON, seed=1)
    before = digests(folder)
    folder.rename(tmp_path / ".company.previous")
    with pytest.raises(KeyError, match="strange"):
        write_tables(folder, {"csm_actions": [pd.DataFrame({"strange": [1]})]})
    assert digests(folder) == before


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"thesis\.docx.*give another folder"):
        write_company(tmp_path, accounts=20, months=6, ends_on=ENDS_ON, seed=1)
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


@pytest.mark.parametrize(
    ("accounts", "months", "ends_on", "message"),
    [
        (0, 12, ENDS_ON, "accounts is 0.*at least 1"),
        (10, 0, ENDS_ON, "months is 0.*at least 1"),
        (10, 12, date(2026, 1, 31), "ends_on is 2026-01-31: take a day from 1 to 28"),
    ],
)
def test_a_company_that_cannot_be_says_why(accounts: int, months: int, ends_on: date, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(accounts=accounts, months=months, ends_on=ends_on, seed=1)


@pytest.mark.parametrize("accounts", [1, 2, 5])
def test_even_the_smallest_company_has_all_tables(accounts: int) -> None:
    assert set(simulate(accounts=accounts, months=3, ends_on=date(2025, 6, 15), seed=4)) == set(contract.TABLES)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        ("2024-01-31", 1, "2024-02-29"),
        ("2024-03-31", -1, "2024-02-29"),
        ("2023-12-15", 1, "2024-01-15"),
        ("1969-12-31", 2, "1970-02-28"),
    ],
)
def test_months_are_calendar_months(day: str, months: int, later: str) -> None:
    number = np.array([np.datetime64(day, "D").astype(np.int64)])
    assert str(as_date(int(add_months(number, months)[0]))) == later


# What is planted: known truth about people, plans, behaviours and losses ---------------------------------------------


def test_one_behaviour_of_young_accounts_goes_with_the_hidden_level_and_one_does_not(history: History) -> None:
    display = Display(history)
    planted = plant(display, users_of(display))
    level, joins = history.company.profile.level, history.company.profile.joins
    is_new = joins >= history.first_day
    for place, goes_with_it in ((len(ALL_FEATURES) - 2, True), (len(ALL_FEATURES) - 1, False)):
        rows = planted.feature == place
        pairs = pd.DataFrame({"account": planted.account[rows], "user": planted.user[rows]})
        users = pairs.groupby("account")["user"].nunique().reindex(range(history.accounts), fill_value=0).to_numpy()
        seats = np.minimum(np.diff(users_of(display).offset), 6)
        told = (users / np.maximum(seats, 1))[is_new]
        strength = np.corrcoef(told, level[is_new])[0, 1]
        assert strength > 0.3 if goes_with_it else abs(strength) < 0.08


def test_a_champion_falls_silent_before_leaving(frames: Frames) -> None:
    people = frames["contacts"]
    champions = people[(people["role"] == "champion") & people["user_id"].notna() & people["left_on"].notna()]
    use = frames["usage"].astype({"user_id": str}).groupby("user_id")["used_on"].max()
    silent = champions["left_on"] - champions["user_id"].map(use)
    assert (silent.dropna() > pd.Timedelta(0)).all()
    assert silent.median() > pd.Timedelta(days=25)


def test_people_hang_together_and_two_sellers_sell_what_fits_badly(history: History, frames: Frames) -> None:
    people = frames["people"]
    assert people["name"].is_unique
    assert {*frames["accounts"]["csm"], *frames["accounts"]["seller"]} <= {*people["name"]}
    assert {*people["manager"].dropna()} <= {*people["name"]}
    assert people["manager"].isna().sum() == 1
    seller = accounts(Display(history)).groupby("account_id")["seller"].first()
    bad = pd.Series(history.company.profile.fit == 2, index=seller.index).groupby(seller).mean()
    assert bad[["Quinn", "Tess"]].min() > 2 * bad.drop(["Quinn", "Tess"]).max()


def test_causes_of_loss_showed_before(frames: Frames) -> None:
    lost = frames["churn_events"]
    people = frames["contacts"]
    left = people[people["role"] == "champion"].groupby("account_id")["left_on"].agg(lambda days: days.notna().any())
    told = lost["account_id"].map(left).fillna(False).astype(bool)
    assert told[lost["cause"] == "stakeholder"].mean() > told[lost["cause"] != "stakeholder"].mean() + 0.2
    assert 0.05 < lost["cause"].isna().mean() < 0.45


def test_milestones_of_the_customer_are_late_where_its_level_is_low(history: History) -> None:
    goals = success_plan.goals(Display(history))
    level = pd.Series(history.company.profile.level, index=Display(history).account_ids)
    for side, goes_with_it in (("customer", True), ("vendor", False)):
        tasks = goals[goals["owner_side"] == side]
        late = (tasks["achieved_on"] > tasks["due_on"]) | tasks["achieved_on"].isna()
        strength = np.corrcoef(late.astype(float), tasks["account_id"].map(level))[0, 1]
        assert strength < -0.2 if goes_with_it else abs(strength) < 0.05


def test_some_surveys_are_sent_and_never_answered(frames: Frames) -> None:
    surveys = frames["surveys"]
    unanswered = surveys[surveys["responded_on"].isna()]
    assert 0.1 < len(unanswered) / len(surveys) < 0.5
    assert unanswered["sent_on"].notna().all()
    assert unanswered["score"].isna().all()
    assert (surveys["sent_on"] <= surveys["responded_on"].fillna(surveys["sent_on"])).all()


def test_one_article_goes_with_the_hidden_level_and_courses_do_not(history: History) -> None:
    rows = engagement(Display(history))
    level = rows["account_id"].map(pd.Series(history.company.profile.level, index=Display(history).account_ids))
    joins = rows["account_id"].map(pd.Series(history.company.profile.joins, index=Display(history).account_ids))
    age = (rows["happened_on"] - pd.Timestamp("1970-01-01")).dt.days - joins
    young = (rows["kind"] == "self_help") & (age <= 120)
    of_article = level[young].groupby(rows["item"][young] == ARTICLE_OF_RENEWAL).mean()
    of_course = level[rows["kind"] == "training"].groupby(rows["item"] == "training 1").mean()
    assert of_article[True] > of_article[False] + 0.4
    assert abs(of_course[True] - of_course[False]) < 0.2
    references = rows["kind"] == "reference"
    assert level[references].mean() > level[~references].mean() + 0.2


def test_leads_of_csms_are_won_more_often_than_those_of_events(frames: Frames) -> None:
    leads = frames["leads"]
    assert not (leads["won_on"].notna() & leads["lost_on"].notna()).any()
    closed = leads[leads["won_on"].notna() | leads["lost_on"].notna()]
    won = closed["won_on"].notna().groupby(closed["source"]).mean()
    assert won["csm"] > won["event"] + 0.2
    assert {*leads["owner"]} <= {*frames["people"]["name"]}


def test_services_are_paid_by_customers_of_the_day(frames: Frames) -> None:
    services = frames["services"]
    first = frames["contracts"].groupby("account_id")["signed_on"].min()
    assert (services["amount"] > 0).all()
    assert (services["delivered_on"] >= services["account_id"].map(first)).mean() > 0.95
