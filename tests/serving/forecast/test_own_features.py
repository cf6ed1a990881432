"""Features of the settings from training to the reasons of a forecast, and what becomes of a champion that has some."""

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.snapshots.snapshot_files import stored
from models.outcomes.outcome import OutcomeModel
from serving.forecast.refusals import BadRequest
from training.learn.dataset import assemble, settings_of
from training.tracking.champion import Champion

AS_OF = date(2026, 1, 1)
QUIET_DAYS = 150  # so long before they leave, accounts invite nobody any more
INVITES = {
    "table": "usage", "filter": {"feature": "Invite Sent"}, "window": 90,
    "sentence": "{value} colleagues invited in the last 90 days",
}  # fmt: skip


def invites(contracts: pd.DataFrame) -> pd.DataFrame:
    """Four invitations a month from each account, until some months before it leaves; and logins of all."""
    rows = []
    for account, lines in contracts.groupby("account_id"):
        end = lines["ends_on"].max()
        last = end - pd.Timedelta(days=QUIET_DAYS) if end < pd.Timestamp(AS_OF) else pd.Timestamp(AS_OF)
        days = pd.date_range(lines["starts_on"].min(), min(end, pd.Timestamp(AS_OF)), freq="8D", inclusive="left")
        rows += [{"account_id": account, "used_on": day, "feature": "invite_sent"} for day in days if day < last]
        rows += [{"account_id": account, "used_on": day, "feature": "login"} for day in days]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def inviting(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The small company with invitations, and headcounts to cut by; a champion that learned from both."""
    frames: dict[str, pd.DataFrame] = world.company()
    frames["usage"] = invites(frames["contracts"])
    frames["accounts"]["headcount"] = [7 * place + 1 for place in range(len(frames["accounts"]))]
    folder: Path = tmp_path_factory.mktemp("inviting")
    tables = tables_from_frames(
        frames, folder / "tables.duckdb", data_until=AS_OF, numbers={"accounts": ("headcount",)}
    )
    values = world.params.model_dump() | {
        "data_dir": folder,
        "features": {"invites_90d": INVITES, "employees": {"table": "accounts", "column": "headcount"}},
    }
    values["forecast"] |= {"cuts": ("headcount",), "cut_edges": {"headcount": (100, 250)}}
    used = params.Params.model_validate(values)
    months = sorted(day.date() for day in pd.date_range("2023-06-01", AS_OF, freq="MS"))
    dataset = assemble(tables, stored(tables, months, params=used), as_of=AS_OF, params=used)
    model = OutcomeModel(dataset.inputs, settings_of(used)).fit(dataset.frame, dataset.paths, dataset.streams)
    champion = Champion(model, "3", "mlflow-run", AS_OF, "digest")
    return dataclasses.replace(world, tables=tables, champion=champion, params=used)


def test_it_is_learned_from_and_given_as_a_reason(inviting: Any) -> None:
    made = inviting.forecast()
    learned = {item.name: item for item in inviting.champion.model.inputs}
    assert learned["invites_90d"].meaning == "Rows of usage where feature is Invite Sent in the last 90 days"
    assert (learned["employees"].kind, learned["employees"].meaning) == ("number", "headcount of the account")
    texts = made.account_driver["text"][made.account_driver["feature"] == "invites_90d"]
    assert texts.str.contains("colleagues? invited in the last 90 days").all()
    assert len(texts) > 10


def test_a_model_with_it_is_read_back_as_it_was(inviting: Any) -> None:
    model = inviting.champion.model
    again = OutcomeModel.from_files(model.to_files(), threads=1)
    assert again.inputs == model.inputs
    day = stored(inviting.tables, [AS_OF], params=inviting.params).frame
    assert (
        again.predict(day).event_probability("churn").tolist() == model.predict(day).event_probability("churn").tolist()
    )


def test_the_portfolio_is_cut_by_ranges_of_a_number(inviting: Any) -> None:
    nrr = inviting.forecast().nrr_forecast
    values = set(nrr["value"][nrr["cut"] == "headcount"])
    assert values == {"under 100", "100 to 249", "250 or more"}


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"invites_90d": INVITES | {"window": 30}},
         r"learned from features.invites_90d \(Rows of .* in the last 90 days\), and now it is another \(.* 30 days\)"),
        ({}, "learned from features.invites_90d .*, and the settings declare no such feature. Declare it as it was"),
    ],
)  # fmt: skip
def test_a_champion_is_not_given_a_feature_declared_otherwise(inviting: Any, features: Any, message: str) -> None:
    employees = inviting.params.model_dump()["features"]["employees"]
    values = inviting.params.model_dump() | {"features": {"employees": employees} | features}
    with pytest.raises(BadRequest, match=message):
        inviting.forecast(features=params.Params.model_validate(values).features)


def test_other_words_for_it_are_no_other_feature(inviting: Any) -> None:
    values = inviting.params.model_dump()
    values["features"]["invites_90d"] |= {"sentence": "invited {value} times", "signal": "team", "expected": -1}
    made = inviting.forecast(features=params.Params.model_validate(values).features)
    assert made.run_id == inviting.forecast().run_id
