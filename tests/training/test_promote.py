"""Who takes charge: what needs no contest, and the contest both ways."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from features.tables.checked import Tables
from features.tables.problems import BadInput
from models.outcomes.outcome import FORMAT, OutcomeModel
from params import Params
from training import fit, promote
from training.promote import Decision, decide, in_charge, judge, worse_slices
from training.tracking.champion import Incumbent, incumbent
from training.tracking.errors import UnreadableChampion
from training.tracking.learning_code import code_digest
from training.tracking.runs import record_run
from training.tracking.store import store_uri


def champion(params: Params, bundle: int = FORMAT, **tags: str) -> Incumbent:
    """A champion that was trained by these settings and today's code."""
    known = {**params.rules, "source": params.source_name, "code": code_digest()}
    return Incumbent("7", "run", {**known, **tags}, params.model_dump(mode="json"), bundle)


@pytest.fixture
def no_contest(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("a contest was held")

    monkeypatch.setattr(promote, "history", fail)


@pytest.mark.usefixtures("no_contest")
@pytest.mark.parametrize(
    ("theirs", "mine", "tags", "promoted", "reason"),
    [
        ({}, {}, {}, True, r"the recipe of the champion \(version 7\) trained again, without a contest$"),
        (
            {},
            {},
            {"code": "other"},
            True,
            r"without a contest and by changed code: what was found of it before need not",
        ),
        # neither the seed, nor the threads, nor what training refuses are of the recipe
        ({"seed": 1, "threads": 1, "model": {"min_accounts": 7}}, {}, {}, True, "trained again, without a contest"),
        (
            {"model": {"leaves": 31}},
            {},
            {},
            False,
            r"the champion's, version 7 \(model.leaves 31 -> 4",
        ),
        ({}, {"snapshots": {"drop": ("arr",)}}, {}, False, r"snapshots.drop \[\] -> \['arr'\]"),
        ({}, {"tune": {"enabled": True}}, {}, False, "tune.trials off -> 20"),
        (
            {},
            {"model": {"leaves": 9}},
            {"revenue.grace_days": "45"},
            True,
            "revenue.grace_days was 45 and is 30",
        ),
        ({}, {"model": {"leaves": 9}}, {"source": "files there"}, True, "the champion learned from another source"),
        (
            {"model": {"horizon_months": 6}},
            {"model": {"leaves": 9}},
            {},
            True,
            "changed from 6 to 12 months",
        ),
    ],
)
def test_without_a_contest(
    theirs: Any, mine: Any, tags: Any, promoted: bool, reason: str, company: Tables, changed: Any, small_params: Params
) -> None:
    there = champion(changed(**theirs), **({"source": small_params.source_name} | tags))
    decision = decide(company, there, params=changed(**mine), may_contest=False)
    assert decision.promoted is promoted
    with pytest.raises(ValueError, match=reason):
        raise ValueError(decision.reason)


@pytest.mark.usefixtures("no_contest")
def test_a_champion_of_an_older_format_gives_way(company: Tables, changed: Any, small_params: Params) -> None:
    """Else nothing could be forecast: neither with it, nor with a challenger."""
    there = champion(small_params, bundle=FORMAT - 1)
    decision = decide(company, there, params=changed(model={"leaves": 9}), may_contest=True)
    said = f"the champion is of format {FORMAT - 1}, and {FORMAT} is what can be read now: there is nothing to compare"
    assert decision == Decision(True, f"{said} with version 7")


@pytest.fixture
def damaged(company: Tables, model: OutcomeModel, changed: Any, tmp_path: Path) -> Params:
    """A data folder whose champion is damaged by one bit."""
    params: Params = changed(data_dir=tmp_path)
    made = record_run(model, [], tables=company, as_of=company.data_until, params=params)
    bundle = tmp_path / "mlflow-artifacts" / made.run_id / "artifacts" / "model" / "artifacts" / "bundle"
    text = bytearray((bundle / "churn.txt").read_bytes())
    text[len(text) // 2] ^= 1
    (bundle / "churn.txt").write_bytes(text)
    return params


def test_a_damaged_champion_is_an_error_before_anything_is_fitted(damaged: Params, company: Tables) -> None:
    """Too little data would be seen before any fitting, and is not seen first."""
    few = damaged.model_copy(update={"model": damaged.model.model_copy(update={"min_accounts": 5000})})
    said = "version 1, cannot be read: its file churn.txt is not the one .* `holdfast train --replace-unreadable`"
    with pytest.raises(UnreadableChampion, match=said):
        fit.train(company, params=few, may_contest=True)
    with pytest.raises(BadInput, match="at least 5000 are needed"):
        fit.train(company, params=few, replace_unreadable=True)


@pytest.mark.usefixtures("no_contest")
def test_it_gives_way_where_that_is_asked_for(damaged: Params, company: Tables) -> None:
    decision = decide(company, in_charge(damaged, replace_unreadable=True), params=damaged, may_contest=True)
    why = "its file churn.txt is not the one that was registered"
    assert decision == Decision(True, f"in place of version 1, which cannot be read: {why}")


@pytest.mark.parametrize("learned_by", ["leaves", "the same"])
def test_a_champion_that_can_be_read_is_met_all_the_same(
    learned_by: str, company: Tables, model: OutcomeModel, changed: Any, tmp_path: Path
) -> None:
    """The option lets nobody win who would not have won without it."""
    params = changed(data_dir=tmp_path)
    record_run(model, [], tables=company, as_of=company.data_until, params=params)
    mine = changed(data_dir=tmp_path, model={"leaves": 9}) if learned_by == "leaves" else params
    decisions = [
        decide(company, in_charge(mine, replace_unreadable=asked), params=mine, may_contest=False)
        for asked in (True, False)
    ]
    assert decisions[0] == decisions[1]
    assert decisions[0].promoted is (learned_by == "the same")


@pytest.mark.usefixtures("no_contest")
def test_the_first_model_takes_charge(company: Tables, small_params: Params) -> None:
    decision = decide(company, None, params=small_params, may_contest=True)
    assert decision == Decision(True, "the first model of this name")


def figures(crps: tuple[float, float], log_loss: tuple[float, float], error: tuple[float, float]) -> pd.DataFrame:
    """A contest's table: (challenger, champion); by chance the calibration error may be 0.05."""
    rows = [("crps", "nrr", *crps, np.nan), ("log_loss", "churn", *log_loss, np.nan)]
    rows.append(("calibration_error", "churn", *error, 0.05))
    table = pd.DataFrame(rows, columns=["measure", "outcome", "challenger", "champion", "limit"])
    return table.assign(horizon_months=3)


@pytest.mark.parametrize(
    ("crps", "log_loss", "error", "won", "said"),
    [
        ((1.0, 2.0), (0.2, 0.3), (0.01, 0.02), True, "CRPS of NRR 1 against 2 (-50%), log-loss 0.2 against 0.3 (-33%)"),
        ((2.0, 1.0), (0.2, 0.3), (0.01, 0.02), False, "CRPS of NRR 2 against 1 (+100%)"),
        ((1.0, 2.0), (0.3, 0.3), (0.01, 0.02), False, "log-loss 0.3 against 0.3 (0%)"),
        # a larger calibration error that chance explains is no worse calibration
        ((1.0, 2.0), (0.2, 0.3), (0.04, 0.02), True, "not worse calibrated"),
        ((1.0, 2.0), (0.2, 0.3), (0.06, 0.02), False, "worse calibrated for churn 3m"),
        ((1.0, 2.0), (0.2, 0.3), (0.06, 0.07), True, "not worse calibrated"),
    ],
)
def test_the_contest_is_judged_by_crps_log_loss_and_calibration(
    crps: Any, log_loss: Any, error: Any, won: bool, said: str
) -> None:
    found, why = judge(figures(crps, log_loss, error))
    assert found is won
    assert said in why


def slices(**log_loss: float) -> pd.DataFrame:
    """Scores by value of a cut, as a backtest gives them; those of `Few` rest on few events."""
    rows = [("segment", value, "churn", 3, loss, value == "Few") for value, loss in log_loss.items()]
    return pd.DataFrame(rows, columns=["cut", "value", "outcome", "horizon_months", "log_loss", "few"])


@pytest.mark.parametrize(
    ("challenger", "champion", "told"),
    [
        ({"Large": 0.20, "Small": 0.40}, {"Large": 0.30, "Small": 0.40}, []),
        ({"Large": 0.20, "Small": 0.43}, {"Large": 0.30, "Small": 0.40}, []),  # within the floor
        (
            {"Large": 0.10, "Small": 0.48},  # better on the whole, and small customers pay for it
            {"Large": 0.30, "Small": 0.40},
            ["segment Small, churn 3m: log-loss 0.480 against 0.400 (+20%)"],
        ),
        ({"Few": 0.9}, {"Few": 0.1}, []),
        ({"New": 0.9}, {"Old": 0.1}, []),
    ],
)
def test_no_value_of_a_cut_may_be_much_worse_than_by_the_champion(
    challenger: dict[str, float], champion: dict[str, float], told: list[str]
) -> None:
    assert worse_slices(slices(**challenger), slices(**champion), floor=0.1) == told
    assert worse_slices(pd.DataFrame(), slices(**champion), floor=0.1) == []


def test_a_contest_that_is_won_on_the_whole_is_lost_by_a_slice(
    company: Tables, changed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = [SimpleNamespace(tables={"scores_by_cut": slices(Small=loss)}, origins=(1, 2)) for loss in (0.5, 0.4)]
    monkeypatch.setattr(promote, "_tried", lambda *_: findings.pop(0))
    monkeypatch.setattr(promote, "contest_table", lambda *_: figures((1.0, 2.0), (0.2, 0.3), (0.01, 0.02)))
    params = changed(model={"leaves": 9})
    decision = decide(company, champion(changed()), params=params, may_contest=True)
    assert not decision.promoted
    assert decision.reason.startswith("lost to version 7 on 2 past dates: CRPS of NRR 1 against 2")
    assert decision.reason.endswith("(+25%) (promotion.slice_floor)")


def test_a_contest_is_held_and_the_alias_follows_its_figures(company: Tables, changed: Any) -> None:
    model = {"name": "contest", "logistic_l2": 100.0}
    first = fit.train(company, params=changed(model=model | {"learner": "logistic"}))
    params = changed(model=model)
    second = fit.train(company, params=params, may_contest=True)
    assert first.decision.promoted
    contest = second.decision.contest
    assert contest is not None
    assert set(contest["measure"]) == {"crps", "log_loss", "calibration_error"}
    won, why = judge(contest)
    won &= "promotion.slice_floor" not in second.decision.reason
    assert (second.decision.promoted, why in second.decision.reason) == (won, True)
    there = incumbent(params)
    assert there is not None
    assert there.version == ("2" if won else "1")
    client = MlflowClient(store_uri(params))
    version = client.get_model_version_by_alias("contest", "champion" if won else "challenger")
    assert (str(version.version), version.tags["promotion"]) == ("2", second.decision.reason)


def test_too_little_history_for_a_contest_leaves_the_champion(
    company: Tables, changed: Any, small_params: Params
) -> None:
    params = changed(model={"min_months": 28, "leaves": 9})
    decision = decide(company, champion(small_params), params=params, may_contest=True)
    assert not decision.promoted
    assert decision.reason.startswith("too little history to compare it with version 7: there are 27 monthly snapshots")
