"""A leak never takes charge: Stripe's export mapped the obvious way, and what happens to the model it makes."""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import params as settings
from features.inputs.load import load_tables
from features.leaks import Leak
from features.leaks.rank import auc_interval
from features.tables.problems import Finding
from features.traps import second_look
from params import Params
from training import fit
from training.backtest.origin import OriginResult
from training.learn.dataset import Dataset
from training.report.summary import score_lines
from training.suspicion import Suspicion, TooGood, too_good
from training.tracking.champion import load_champion
from training.tracking.errors import NoModel

UNTIL = pd.Timestamp("2025-01-01")
PRICES = {"Starter": 2_900, "Team": 4_900, "Business": 9_900}
MAPPING = {
    "accounts": {"file": "subscriptions.csv", "columns": {"account_id": "Customer ID", "segment": "Plan"}},
    "contracts": {
        "file": "subscriptions.csv",
        "columns": {
            "contract_id": "id",
            "account_id": "Customer ID",
            "product": "Plan",
            "starts_on": "Created (UTC)",
            "ends_on": "Current Period End (UTC)",
            "mrr": "Amount",
        },
    },
}


def subscriptions(count: int = 260) -> pd.DataFrame:
    """A row a subscription as the export of today has it: cents, for a month or a year, trials among them."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(count):
        start = pd.Timestamp("2022-01-03") + pd.Timedelta(days=int(rng.integers(1_000)))
        plan, is_yearly = list(PRICES)[rng.integers(3)], bool(rng.random() < 0.3)
        months = 12 if is_yearly else 1
        kept = int(rng.geometric(0.3 if is_yearly else 0.045)) if rng.random() > 0.12 else 0
        end = start + pd.DateOffset(months=months * kept) if kept else start + pd.Timedelta(days=14)
        while kept and end >= UNTIL and end - pd.DateOffset(months=months) >= UNTIL:
            end -= pd.DateOffset(months=months)
        amount = PRICES[plan] * (10 if is_yearly else 1)
        rows.append((f"sub_{number:04}", f"cus_{number:04}", plan, amount, start.date(), end.date()))
    names = ["id", "Customer ID", "Plan", "Amount", "Created (UTC)", "Current Period End (UTC)"]
    return pd.DataFrame(rows, columns=names)


@pytest.fixture(scope="module")
def stripe(costly: None, tmp_path_factory: pytest.TempPathFactory) -> Params:
    folder = tmp_path_factory.mktemp("stripe")
    subscriptions().to_csv(folder / "subscriptions.csv", index=False)
    return settings.load(
        None,
        [
            "source.kind=files",
            f"source.path={folder}",
            f"source.tables={json.dumps(MAPPING)}",
            f"source.data_until={UNTIL.date()}",
            f"data_dir={tmp_path_factory.mktemp('data')}",
            "forecast.cuts=[segment]",
            "forecast.draws=200",
            "model.trees=12",
            "model.leaves=4",
            "threads=1",
        ],
    )


@pytest.fixture(scope="module")
def refused(stripe: Params) -> fit.TrainingResult:
    return fit.train(load_tables(stripe).tables, params=stripe)


def test_the_check_reads_it_and_sees_the_traps(stripe: Params) -> None:
    loaded = load_tables(stripe)
    assert {warning.rule for warning in loaded.report.warnings} == {"attributes_without_history"}
    rules = {warning.rule for warning in second_look(loaded.tables, params=stripe).warnings}
    assert rules == {"annual_as_monthly", "cents_as_units", "trial_lines"}


def test_it_does_not_take_charge(stripe: Params, refused: fit.TrainingResult) -> None:
    assert not refused.decision.promoted
    assert "contracts.ends_on (scheduled end filled in later)" in refused.decision.reason
    with pytest.raises(NoModel, match="There is no champion"):
        load_champion(stripe)


def test_the_leak_is_said_first(refused: fit.TrainingResult) -> None:
    lines = refused.lines()
    assert lines[0].startswith("LEAK. contracts.ends_on: ")
    registered = next(place for place, line in enumerate(lines) if line.startswith("Registered as"))
    assert any(line.startswith("NOT PROMOTED.") for line in lines[:registered])
    assert "alias challenger" in lines[registered]
    content = json.loads(json.dumps(refused.to_json(), allow_nan=False))
    assert (content["promoted"], content["leaks_accepted"], content["skill_found"]) == (False, False, False)
    assert lines[registered + 1].startswith("SUSPICIOUS, and not taken for skill")
    assert not any(line.endswith("   skill") for line in lines)
    assert content["leaks"][0]["kind"] == "scheduled end filled in later"


def test_whoever_accepts_it_is_reminded(stripe: Params, refused: fit.TrainingResult, tmp_path: Path) -> None:
    """In a copy, so that the other tests see no champion, whatever their order."""
    stripe = stripe.model_copy(update={"data_dir": shutil.copytree(stripe.data_dir, tmp_path / "data")})
    accepted = fit.train(load_tables(stripe).tables, params=stripe, accept_leaks=True)
    assert accepted.decision.promoted
    assert any(line.startswith("ACCEPTED with --accept-leaks") for line in accepted.lines())
    caution = load_champion(stripe).cautions[0]
    assert caution.startswith("LEAK: do not rely on this model: its data give the future away: contracts.ends_on")
    assert caution.endswith("it was promoted with --accept-leaks.")
    again = fit.train(load_tables(stripe).tables, params=stripe)
    assert not again.decision.promoted, "what was accepted once is asked again"
    assert load_champion(stripe).version == accepted.record.version


def test_a_company_without_leaks_promotes_as_ever(trained: fit.TrainingResult) -> None:
    assert not trained.suspicion
    assert trained.decision.promoted
    assert trained.suspicion.cautions == []


def tried(skill: float, *, told: float = 0.0, count: int = 200) -> tuple[OriginResult, Dataset]:
    """A test three months ahead: how closely probabilities follow churn, and how many had given notice."""
    rng = np.random.default_rng(3)
    names = [f"a{number:03}" for number in range(count)]
    left = np.arange(count) % 5 == 0
    has_told = left & (np.arange(count) < told * count)
    chance = np.where(has_told, 0.99, np.clip(skill * left + rng.random(count) * (1 - skill), 0, 0.98))
    frame = pd.DataFrame(
        {"account_id": names, "horizon_months": 3, "churned": left.astype(float), "churn_probability": chance}
    )
    frame = frame.assign(expanded=0.0, expansion_probability=0.1)
    cohort = pd.DataFrame(
        {"account_id": names, "as_of": pd.Timestamp("2024-01-01"), "notice_given": has_told.astype(float)}
    )
    cohort = cohort.assign(overdue_days=0.0, term_ends_on=pd.NaT)
    paths, paused = np.zeros((count, 4)), np.zeros((count, 4), dtype=bool)
    dataset = Dataset(date(2024, 1, 1), cohort, paths, paths, paused, (), ())
    return OriginResult(date(2024, 1, 1), frame, pd.DataFrame(), pd.DataFrame()), dataset


@pytest.mark.parametrize(
    ("skill", "told", "is_suspicious"),
    [
        (1.0, 0.0, True),
        (0.2, 0.0, False),
        (0.0, 1.0, False),  # all who left had given notice, which is known in time
        (0.2, 0.7, False),  # among those that had not said so the AUC is an honest one
    ],
)
def test_too_good_to_be_true(skill: float, told: float, is_suspicious: bool) -> None:
    assert bool(too_good(*tried(skill, told=told), limit=0.95)) == is_suspicious


def test_a_perfect_auc_of_few_is_no_proof() -> None:
    assert too_good(*tried(1.0, count=40), limit=0.95) == []
    assert auc_interval(1.0, 8, 32)[0] < 0.95


def test_a_likely_cause_is_named_where_no_skill_was_found() -> None:
    cause = Finding("contracts", "hardly anyone left before April 2022", "Bring them.", rule="survivors_only")
    none = fit.Said("", ("NO SKILL FOUND for churn.",), (), (cause,))
    assert none.lines()[1] == "A LIKELY CAUSE: contracts: hardly anyone left before April 2022. Bring them."
    assert fit.Said("", ("Churn probabilities beat the base rate.",), (), (cause,)).lines()[1:] == []


@pytest.mark.parametrize(("event", "text"), [(0.0, "came to nobody"), (1.0, "came to all")])
def test_what_came_to_nobody_has_no_scores(scored: Any, event: float, text: str) -> None:
    """A log-loss of next to nothing gave skills of minus thousands of percent, and an AUC of nan."""
    score = scored(probability=[0.1, 0.2, 0.3], base=[0.001] * 3, event=[event] * 3)
    line = score_lines([score])[1]
    assert text in line
    assert "nan" not in line
    assert "%" not in line
    assert line.endswith("too few events")


@pytest.fixture
def leak() -> Leak:
    return Leak(
        kind="predicts too well", grade="leak", table="calls", column="outcome", what="tells", backtest="b", todo="t"
    )


@pytest.mark.parametrize(
    ("accepted", "end"), [(True, "it was promoted with --accept-leaks."), (False, "it was not to take charge.")]
)
def test_the_caution_names_what_was_found(leak: Leak, accepted: bool, end: str) -> None:
    good = TooGood("churn", 3, 1.0, 0.97, 1.0)
    (caution,) = Suspicion((leak,), (good,), 0.95, accepted).cautions
    assert "calls.outcome (predicts too well)" in caution
    assert "churn 3 months ahead was told with an AUC of 1.000 [0.970, 1.000]" in caution
    assert caution.endswith(end)
    assert Suspicion((leak,), (), 0.95, accepted).refuses is not accepted
