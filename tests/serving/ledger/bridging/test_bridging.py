"""The bridge between two forecasts on record: what each step shows, and what is left when something is missing."""

import dataclasses
import functools
import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.asof.view import day_number
from features.forgetting.suppression import ACCOUNT, suppress
from features.revenue import add_months
from models.outcomes.outcome import OutcomeModel
from models.paths.bridge import STEPS, Step
from params import Params, load
from params import Record as RecordSettings
from serving.forecast.batch import Forecast
from serving.forecast.declared.column import Kind
from serving.forecast.declared.output_tables import FORECAST_BRIDGE
from serving.forecast.refusals import BadRequest
from serving.forgetting.record_names import forget_subjects
from serving.ledger.bridging import recorded
from serving.ledger.bridging.answer import bridge_json, bridge_table
from serving.ledger.bridging.between import Between, between
from serving.ledger.bridging.made_of import MadeOf, newest_official_before, on_record
from serving.ledger.record import Record, open_record
from serving.ledger.recording import record_forecast
from training.tracking.champion import Champion
from training.tracking.errors import NoModel

FIRST, SECOND = date(2025, 12, 1), date(2026, 1, 1)


def publish(books: Any, record: Record, as_of: date, params: Params, *, run_id: str = "") -> Forecast:
    """Publish as of a date, at its time."""
    champion = dataclasses.replace(books.world.champion, trained_as_of=as_of)
    tables = dataclasses.replace(books.world.tables, data_until=as_of)
    world = dataclasses.replace(books.world, tables=tables, champion=champion, params=params)
    made = world.forecast(as_of)
    made = dataclasses.replace(made, run_id=run_id) if run_id else made
    record_forecast(record, tables, champion, made, params=params, code_version="of tests")
    return made


@dataclasses.dataclass(frozen=True)
class TwoMonths:
    """Two official forecasts on record a month apart, and a revision of the second."""

    books: Any
    params: Params
    made: tuple[Forecast, Forecast]

    def read(self, record: Record, as_of: date, *, newest: bool = False) -> MadeOf:
        def load_model(number: str) -> Champion:
            assert number == "3"
            return dataclasses.replace(self.books.world.champion)

        return on_record(record, as_of, newest=newest, load_model=load_model, remake=lambda *_: None)

    @functools.cached_property
    def first(self) -> MadeOf:
        with open_record(self.params) as record:
            return self.read(record, FIRST)

    @functools.cached_property
    def second(self) -> MadeOf:
        with open_record(self.params) as record:
            return self.read(record, SECOND)

    def bridge(self, first: MadeOf | None = None, second: MadeOf | None = None, **more: Any) -> Between:
        return between(first or self.first, second or self.second, budget=self.params.budget, **more)

    @functools.cached_property
    def plain(self) -> Between:
        return self.bridge()


@pytest.fixture(scope="module")
def two(books: Any, tmp_path_factory: pytest.TempPathFactory) -> TwoMonths:
    place = {"data_dir": tmp_path_factory.mktemp("two"), "record": RecordSettings(url=None, folder=None)}
    params = books.params.model_copy(update=place)
    with open_record(params) as record:
        made = publish(books, record, FIRST, params), publish(books, record, SECOND, params)
        again = dataclasses.replace(made[1], run_id="later")
        tables = dataclasses.replace(books.world.tables, data_until=SECOND)
        champion = dataclasses.replace(books.world.champion, trained_as_of=SECOND)
        record_forecast(record, tables, champion, again, params=params, code_version="of tests")
    return TwoMonths(books, params, made)


def changed(of: MadeOf, **more: Any) -> MadeOf:
    """A forecast that was made of something else."""
    assert of.ingredients is not None
    return dataclasses.replace(of, ingredients=dataclasses.replace(of.ingredients, **more))


def totals(found: Between) -> dict[Step, float]:
    assert found.bridge.residual == 0
    np.testing.assert_array_equal(found.bridge.start + found.bridge.steps.sum(axis=1), found.bridge.end)
    return {step: amount / 100 for step, amount in zip(STEPS, found.bridge.steps.sum(axis=0).tolist(), strict=True)}


def test_a_month_adds_up_from_what_was_published_to_what_is(two: TwoMonths) -> None:
    found = two.plain
    steps = totals(found)
    published = [
        made.account_forecast.query(f"horizon_months == {months}").set_index("account_id")["expected_arr"]
        for made, months in zip(two.made, (6, 5), strict=True)
    ]
    assert found.bridge.start.sum() / 100 == pytest.approx(published[0].sum(), abs=0.5)
    later = published[1].reindex(found.accounts.index).where(found.accounts["reached"] > 0, 0.0).fillna(0.0)
    np.testing.assert_allclose(found.bridge.end / 100, later, atol=0.00501)
    assert found.target == add_months(FIRST, 6)
    assert steps[Step.NEWS] != 0
    for step in (Step.RECOMPUTED, Step.RESTATED, Step.MARKET, Step.MODEL, Step.RULES, Step.UNSPLIT, Step.COHORT):
        assert steps[step] == 0, step


def test_the_same_forecast_twice_gives_zeros(two: TwoMonths) -> None:
    found = two.bridge(two.second, two.second, all_orders=True)
    assert not found.bridge.steps.any()
    assert found.worth == pytest.approx(dict.fromkeys(("data", "market", "recalibration", "model"), 0.0))
    assert {line["amount"] for line in bridge_json(found)["accounts"]} == {0.0}
    assert set(bridge_table(found)["reason"]) == {""}


def with_another_line(of: MadeOf, account: str, mrr: int) -> MadeOf:
    """An account that pays for one thing more since the middle of December."""
    assert of.ingredients is not None
    lines, snapshot = of.ingredients.lines, of.ingredients.snapshot.copy()
    more = lines[lines["account_id"] == account].iloc[:1].assign(
        contract_id="more", product="More", mrr_micros=mrr * 1_000_000, starts=day_number(date(2025, 12, 15)), ends=None
    )  # fmt: skip
    snapshot.loc[account, "arr"] += 12 * mrr
    return changed(of, lines=pd.concat([lines, more]), snapshot=snapshot)


def test_who_grew_is_told(two: TwoMonths) -> None:
    found = two.bridge(second=with_another_line(two.second, "a03", 500))
    totals(found)
    rows = bridge_table(found).set_index("account_id")
    account = found.accounts.loc["a03"]
    assert account["reached"] == account["restated"] + 6000
    assert rows.loc["a03", "realised_expansion"] == pytest.approx(6000 * account["later"], rel=0.1)
    assert rows.loc["a03", "reason"].startswith("It grew: ARR ")


def test_what_was_expected_of_an_overdue_renewal_is_a_matter_of_timing(two: TwoMonths) -> None:
    assert two.second.ingredients is not None
    snapshot = two.second.ingredients.snapshot.copy()
    snapshot.loc["a07", "overdue_days"] = 10.0
    found = two.bridge(second=changed(two.second, snapshot=snapshot))
    steps, rows = totals(found), bridge_table(found).set_index("account_id")
    assert rows.loc["a07", "realised_churn"] == 0
    assert steps[Step.TIMING] == rows.loc["a07", "timing_in_grace"] > 0


def test_who_left_is_a_churn_and_no_news(two: TwoMonths) -> None:
    assert two.second.ingredients is not None
    snapshot = two.second.ingredients.snapshot
    left = changed(two.second, snapshot=snapshot.drop("a03"))
    found = two.bridge(second=left)
    totals(found)
    rows = bridge_table(found).set_index("account_id")
    assert rows.loc["a03", "expected_now"] == 0
    assert rows.loc["a03", "realised_churn"] == pytest.approx(-rows.loc["a03", "expected_before"], rel=0.05)
    assert rows.loc["a03", "news"] == 0
    assert rows.loc["a03", "reason"].startswith("It left: ARR ")


def test_a_restated_past_is_a_step_of_its_own(two: TwoMonths) -> None:
    assert two.second.ingredients is not None
    lines, snapshot = two.second.ingredients.lines.copy(), two.second.ingredients.snapshot.copy()
    lines.loc[lines["account_id"] == "a03", "mrr_micros"] *= 2
    snapshot.loc["a03", "arr"] *= 2
    found = two.bridge(second=changed(two.second, lines=lines, snapshot=snapshot))
    steps = totals(found)
    account = found.accounts.loc["a03"]
    assert account["restated"] == 2 * account["start"]
    assert steps[Step.RESTATED] == pytest.approx(account["start"] * account["whole"], abs=0.02)
    reason = dict(zip(found.accounts.index, bridge_table(found)["reason"], strict=True))["a03"]
    assert reason.startswith("Its ARR on 2025-12-01 was restated from ")
    nrr = bridge_json(found)["nrr"]
    assert nrr["steps"][-1]["step"] == "starting_arr_restated"
    assert nrr["steps"][-1]["amount"] < 0
    assert nrr["residual"] == 0
    assert nrr["start"] + sum(step["amount"] for step in nrr["steps"]) == pytest.approx(nrr["end"], abs=1e-9)


def test_exchange_rates_that_moved_are_the_last_step(two: TwoMonths) -> None:
    first, second = (
        changed(
            made,
            lines=made.ingredients.lines.assign(currency="EUR"),
            rates=pd.DataFrame({"currency": ["EUR"], "rate": [rate]}),
        )
        for made, rate in ((two.first, 1.0), (two.second, 1.1))
        if made.ingredients is not None
    )
    assert second.ingredients is not None
    snapshot = second.ingredients.snapshot
    found = two.bridge(first, changed(second, snapshot=snapshot.assign(arr=snapshot["arr"] * 1.1)))
    steps = totals(found)
    rules = found.bridge.steps[:, STEPS.index(Step.RULES)]
    np.testing.assert_allclose(rules, found.bridge.end * (1 - 1 / 1.1), atol=1)  # whole cents, account by account
    assert rules.sum() == pytest.approx(found.bridge.end.sum() * (1 - 1 / 1.1), abs=np.sqrt(len(rules)))
    assert steps[Step.RESTATED] == steps[Step.MODEL] == 0
    np.testing.assert_allclose(found.accounts["reached"], two.plain.accounts["reached"], atol=0.02)


def retrained(champion: Champion) -> OutcomeModel:
    """Another model: leaving is likelier, by its calibration, its market and its amounts."""
    content = champion.model.to_files()
    described = json.loads(content["model.json"])
    for fitted in described["outcomes"].values():
        fitted["calibrator"]["intercept"] += 0.3
    for state in described["luck"]:
        state["mean"][0] += 0.2
    described["pools"]["pools"] = [[point * 0.9 for point in pool] for pool in described["pools"]["pools"]]
    return OutcomeModel.from_files(content | {"model.json": json.dumps(described)})


def with_model(of: MadeOf, model: OutcomeModel) -> MadeOf:
    return dataclasses.replace(changed(of, model=model), model_version="4", model_digest="another")


def test_market_calibration_and_model_are_told_apart_from_data(two: TwoMonths) -> None:
    newer = with_model(two.second, retrained(two.books.world.champion))
    found = two.bridge(second=newer, all_orders=True)
    steps = totals(found)
    assert steps[Step.MARKET] < 0
    assert steps[Step.RECALIBRATION] != 0
    assert steps[Step.MODEL] < 0
    assert steps[Step.NEWS] == pytest.approx(totals(two.plain)[Step.NEWS], abs=0.6)  # cents are shared out anew
    assert found.model_reversed == pytest.approx(steps[Step.MODEL], rel=0.5)
    assert found.worth is not None
    parts = [step for step in STEPS if step not in (Step.RECOMPUTED, Step.RULES, Step.RESTATED)]
    assert sum(found.worth.values()) == pytest.approx(sum(steps[step] for step in parts), abs=0.1)


def test_with_the_same_data_only_the_model_s_steps_show(two: TwoMonths) -> None:
    steps = totals(two.bridge(two.second, with_model(two.second, retrained(two.books.world.champion))))
    assert {step for step, amount in steps.items() if amount} == {Step.MARKET, Step.RECALIBRATION, Step.MODEL}


def test_the_rolling_view_adds_its_cohort_and_its_window(two: TwoMonths) -> None:
    found = two.bridge(rolling=True)
    steps = totals(found)
    longest = two.made[1].account_forecast.query("horizon_months == 6")["expected_arr"]
    assert found.bridge.end.sum() / 100 == pytest.approx(longest.sum(), abs=0.5)
    assert found.target == add_months(SECOND, 6)
    assert steps[Step.WINDOW] != 0
    answer = bridge_json(found)
    assert [step["step"] for step in answer["steps"]][-2:] == ["cohort_changed", "window_moved"]
    starting = two.made[1].nrr_forecast.query("cut == 'total' and horizon_months == 6 and metric == 'nrr'")
    assert answer["nrr"]["end"] == pytest.approx(answer["end"] / starting["starting_arr"].item(), abs=1e-6)


def test_an_erased_account_leaves_the_bridge_standing(two: TwoMonths, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(two.params.data_dir, folder)
    before, erased = two.plain, str(two.plain.accounts["reached"].idxmax())
    with open_record(two.params.model_copy(update={"data_dir": folder})) as record:
        forget_subjects(record, suppress(load(overrides=[f"data_dir={tmp_path / 'list'}"]), ACCOUNT, erased))
        after = two.bridge(*(two.read(record, day) for day in (FIRST, SECOND)))
    totals(after)
    np.testing.assert_array_equal(np.sort(after.bridge.start), np.sort(before.bridge.start))
    np.testing.assert_array_equal(np.sort(after.bridge.end), np.sort(before.bridge.end))
    assert erased not in set(bridge_table(after)["account_id"])
    assert "an erased account" in {line["name"] for line in bridge_json(after, top=100)["accounts"]}


def test_an_account_that_the_later_data_lack_is_not_called_a_churn(two: TwoMonths) -> None:
    assert two.second.ingredients is not None
    lines, snapshot = two.second.ingredients.lines, two.second.ingredients.snapshot
    found = two.bridge(
        second=changed(two.second, lines=lines[lines["account_id"] != "a03"], snapshot=snapshot.drop("a03"))
    )
    steps = totals(found)
    account = list(found.accounts.index).index("a03")
    assert steps[Step.UNSPLIT] == -found.bridge.start[account] / 100
    assert bridge_table(found)["reason"][account] == "Its rows are no longer in the data of 2026-01-01."


def test_values_of_a_cut_add_up_and_a_wrong_one_is_named(two: TwoMonths) -> None:
    answer = bridge_json(two.plain, by="csm")
    assert [row["value"] for row in answer["by"]["rows"]] == ["Ada A.", "Ben B."]
    for name in ("start", "end"):
        assert sum(row[name] for row in answer["by"]["rows"]) == pytest.approx(answer[name], abs=0.001)
    with pytest.raises(BadRequest, match=r"--by cms: no such labels are on record. Did you mean csm\?"):
        bridge_json(two.plain, by="cms")


def test_accounts_that_moved_most_come_first_and_the_rest_is_one_line(two: TwoMonths) -> None:
    answer = bridge_json(two.plain, top=3)
    sizes = [abs(line["amount"]) for line in answer["accounts"][:3]]
    assert sizes == sorted(sizes, reverse=True)
    assert answer["accounts"][3]["account_id"] is None
    assert answer["accounts"][3]["name"] == f"{len(two.plain.accounts) - 3} other accounts"
    change = sum(line["amount"] for line in answer["accounts"])
    assert change == pytest.approx(answer["end"] - answer["start"], abs=0.001)
    assert all(line["reason"] for line in answer["accounts"][:3])
    assert answer["residual"] == 0


def test_without_an_archive_the_bridge_says_what_it_cannot_split(two: TwoMonths) -> None:
    with open_record(two.params) as record:
        revision = two.read(record, SECOND, newest=True)
    why = "the forecast of 2026-01-01 is a revision, which keeps no archive, and the data have changed since"
    assert (revision.run_id, revision.ingredients, revision.lacking) == ("later", None, why)
    higher = dataclasses.replace(revision, expected=revision.expected * 1.5)
    found = two.bridge(two.second, higher)
    steps = totals(found)
    assert steps[Step.UNSPLIT] > 0
    assert sum(map(abs, steps.values())) == steps[Step.UNSPLIT]
    assert bridge_json(found)["not_split"] == f"{why}: what changed cannot be split into steps"
    assert set(bridge_table(found)["reason"]) == {"What moved it cannot be told."}
    with pytest.raises(BadRequest, match="Nor is there a date for which the record keeps expected ARR"):
        two.bridge(two.first, dataclasses.replace(revision, expected=revision.expected[[6]]))


def test_a_model_that_is_gone_is_named(two: TwoMonths) -> None:
    def load_model(number: str) -> Champion:
        raise NoModel(f"Version {number} of the model is not registered any more.")

    with open_record(two.params) as record:
        made = on_record(record, FIRST, newest=False, load_model=load_model, remake=lambda *_: None)
    assert made.lacking.startswith("the model of the forecast of 2025-12-01 cannot be loaded (Version 3")


def test_a_date_without_a_forecast_names_the_nearest(two: TwoMonths, tmp_path: Path) -> None:
    with (
        open_record(two.params.model_copy(update={"data_dir": tmp_path})) as empty,
        pytest.raises(BadRequest, match="No forecast is on record yet"),
    ):
        two.read(empty, FIRST)
    with (
        open_record(two.params) as record,
        pytest.raises(BadRequest, match=r"No forecast of 2025-11-03 is on record\. The nearest is that of 2025-12-01"),
    ):
        two.read(record, date(2025, 11, 3))


def test_forecasts_in_the_wrong_order_or_too_far_apart_are_refused(two: TwoMonths) -> None:
    with pytest.raises(BadRequest, match="--from 2026-01-01 lies after --to 2025-12-01"):
        two.bridge(two.second, two.first)
    with pytest.raises(BadRequest, match="looks 6 months ahead, to 2025-11-01; that of 2026-01-01 was made after that"):
        two.bridge(dataclasses.replace(two.first, as_of=date(2025, 5, 1)))
    with pytest.raises(BadRequest, match="is in EUR, that of 2026-01-01 in USD"):
        two.bridge(dataclasses.replace(two.first, currency="EUR"))


def test_a_night_within_the_month_has_its_part_of_what_was_expected(two: TwoMonths) -> None:
    assert two.second.ingredients is not None
    night = date(2025, 12, 17)
    snapshot = two.second.ingredients.snapshot.assign(as_of=pd.Timestamp(night))
    found = two.bridge(second=dataclasses.replace(changed(two.second, snapshot=snapshot), as_of=night))
    totals(found)
    assert found.target == add_months(FIRST, 6)
    churn = STEPS.index(Step.CHURN)
    stayed = (found.accounts["reached"] > 0).to_numpy()
    part, whole = (one.bridge.steps[stayed, churn].sum() for one in (found, two.plain))
    assert part == pytest.approx(whole * 16 / 31, rel=0.05)


def test_the_bridge_begins_at_the_last_official_forecast(two: TwoMonths) -> None:
    with open_record(two.params) as record:
        assert newest_official_before(record, SECOND, but=two.made[1].run_id) == FIRST
        assert newest_official_before(record, FIRST, but=two.made[0].run_id) is None


def test_what_is_published_is_the_bridge_on_record(two: TwoMonths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made from the tables before the later forecast has an archive, it is the one that the archives give later."""
    monkeypatch.setattr(recorded, "load_version", lambda params, number: two.books.world.champion)
    tables = dataclasses.replace(two.books.world.tables, data_until=SECOND)
    champion = dataclasses.replace(two.books.world.champion, trained_as_of=SECOND)
    with open_record(two.params) as record:
        published = recorded.bridge_to(record, tables, champion, two.made[1], params=two.params)
        later = recorded.recorded_bridge(record, FIRST, SECOND, tables=None, params=two.params)
        assert recorded.bridge_to(record, tables, champion, two.made[0], params=two.params) is None
    assert published is not None
    money = [column.name for column in FORECAST_BRIDGE if column.kind is Kind.MONEY]
    tables_of = [bridge_table(one).sort_values("account_id")[["account_id", *money]] for one in (published, later)]
    pd.testing.assert_frame_equal(*tables_of)
