"""What customers say and what they do not own: small companies by hand, and what cannot be told."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.tables.checked import Tables
from features.tables.problems import BadInput
from params import Params
from serving.forecast.refusals import BadRequest
from serving.kpis.voice_report import voice_report
from serving.kpis.whitespace_report import whitespace_report

AS_OF = date(2026, 1, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Params:
    return params.load(overrides=["threads=1", f"data_dir={tmp_path}"])


def lines(*rows: tuple[Any, ...]) -> pd.DataFrame:
    columns = ["account_id", "product", "buying_center", "kind", "starts_on", "seats", "mrr"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(contract_id=[f"c{place}" for place in range(len(frame))])


def made(folder: Path, **frames: pd.DataFrame) -> Tables:
    return tables_from_frames(frames, folder / "tables.duckdb", data_until=AS_OF)


def asked(folder: Path) -> Tables:
    """a answered twice of three; b's answer became known too late, and c left."""
    surveys = [
        ("a", "2025-03-01", "2025-03-05", 10.0, "champion", "support", "speed", "Great", "2025-03-05"),
        ("a", "2025-06-01", None, None, "champion", "renewal", None, None, "2025-06-01"),
        ("a", "2025-09-01", "2025-09-02", 3.0, "decision_maker", "renewal", "price", "Too dear", "2025-09-02"),
        ("b", "2025-10-01", "2025-10-09", 9.0, "champion", "support", "speed", "late", "2026-02-01"),
        ("c", "2024-02-01", "2024-02-02", 0.0, "champion", "support", "speed", "before", "2024-02-02"),
    ]
    names = ["account_id", "sent_on", "responded_on", "score", "respondent_role", "moment", "theme", "comment"]
    frame = pd.DataFrame(surveys, columns=[*names, "recorded_at"]).assign(kind="nps")
    tickets = pd.DataFrame(
        {"account_id": ["a", "b", "b"], "opened_at": ["2025-05-01", "2025-05-02", "2024-05-02"], "category": "bug"}
    )
    accounts = pd.DataFrame({"account_id": list("abc"), "name": ["Ay", "Be", "Ce"]})
    contracts = lines(*((account, "core", "it", "new", "2024-01-01", 1, 100.0) for account in "ab"))
    return made(folder, accounts=accounts, contracts=contracts, surveys=frame, tickets=tickets)


def test_scores_are_told_by_role_and_moment_with_response_and_the_arr_behind(tmp_path: Path, settings: Params) -> None:
    told = voice_report(asked(tmp_path), as_of=AS_OF, params=settings)
    rows = {(row["role"], row["moment"]): row for row in told["rows"]}
    whole = rows["all", "all"]
    assert (whole["sent"], whole["answered"], whole["n"], whole["figure"]) == (3, 2, 2, 0.0)
    assert whole["response_rate"] == pytest.approx(2 / 3)
    assert (whole["accounts"], whole["arr"]) == (1, 1200.0), "what became known of b later is not told"
    assert rows["champion", "all"]["figure"] == 100.0
    assert rows["decision_maker", "renewal"]["figure"] == -100.0
    assert {row["theme"] for row in told["themes"]} == {"speed", "price"}
    assert [row["comment"] for row in told["comments"]] == ["Too dear", "Great"]
    assert told["tickets"] == [{"category": "bug", "tickets": 2, "accounts": 2, "arr": 2400.0}]


def test_without_surveys_and_tickets_nothing_is_said(tmp_path: Path, settings: Params) -> None:
    accounts = pd.DataFrame({"account_id": ["a"]})
    tables = made(tmp_path, accounts=accounts, contracts=lines(("a", "core", "it", "new", "2024-01-01", 1, 9.0)))
    with pytest.raises(BadInput, match="surveys: is absent, and so is tickets"):
        voice_report(tables, as_of=AS_OF, params=settings)
    with pytest.raises(BadRequest, match="--as-of 2027-01-01 lies after 2026-01-01"):
        voice_report(tables, as_of=date(2027, 1, 1), params=settings)


def growing(folder: Path) -> Tables:
    """Twelve customers own core, six of them more; of the others two buy through the buying centre that more has."""
    ids = [f"a{number:02d}" for number in range(12)]
    rows = [(account, "core", "it", "new", "2024-01-01", 10, 100.0) for account in ids]
    rows += [
        (account, "more", "sales", "cross_sell", "2025-06-01", 0, 20.0 + place) for place, account in enumerate(ids[:6])
    ]
    rows += [(account, "core2", "sales", "new", "2024-01-01", 0, 5.0) for account in ids[6:8]]
    accounts = pd.DataFrame(
        {"account_id": ids, "segment": "small", "csm": "Ada", "seller": "Sam", "potential_seats": [15] + [10] * 11}
    )
    return made(folder, accounts=accounts, contracts=lines(*rows))


def test_what_is_not_owned_has_its_worth_and_whose_it_is_to_sell(tmp_path: Path, settings: Params) -> None:
    told = whitespace_report(growing(tmp_path), as_of=AS_OF, params=settings)
    more = {row["account_id"]: row for row in told["rows"] if row["what"] == "more"}
    assert set(more) == {f"a{number:02d}" for number in range(6, 12)}
    assert (more["a06"]["owner_role"], more["a06"]["owner"]) == ("csm", "Ada"), "sales buys already"
    assert (more["a08"]["owner_role"], more["a08"]["owner"]) == ("seller", "Sam")
    assert (more["a06"]["attach_rate"], more["a06"]["similar"]) == (0.5, 12)
    assert more["a06"]["arr"] == 12 * 22.5
    assert not [row for row in told["rows"] if row["what"] == "core2"], "too few own it"
    (seats,) = [row for row in told["rows"] if row["what"] == "seats"]
    assert (seats["account_id"], seats["missing"], seats["arr"], seats["attach_rate"]) == ("a00", 5.0, 600.0, None)
    assert told["log"] == [{"source": "cross_sell", "owner_role": "seller", "won": 6, "arr": 12 * 135.0}]
    totals = {(row["what"], row["owner_role"]): row["accounts"] for row in told["totals"]}
    assert totals == {("more", "csm"): 2, ("more", "seller"): 4, ("seats", "csm"): 1}
    with pytest.raises(BadRequest, match="--csm Nobody: nothing is missing in the book of that name"):
        whitespace_report(growing(tmp_path), as_of=AS_OF, params=settings, csm="Nobody")


def test_leads_are_told_by_source_and_owner_with_the_share_won(tmp_path: Path, settings: Params) -> None:
    accounts = pd.DataFrame({"account_id": ["a"], "csm": ["Ada"], "potential_seats": [9]})
    rows = [("Ada", "csm", "2025-03-01", None), ("Ada", "csm", None, "2025-03-01"), ("Sam", "csm", None, None)]
    leads = pd.DataFrame(rows, columns=["owner", "source", "won_on", "lost_on"])
    leads = leads.assign(account_id="a", raised_on="2025-02-01", amount=10.0)
    contracts = lines(("a", "core", "it", "new", "2024-01-01", 1, 9.0))
    tables = made(tmp_path, accounts=accounts, contracts=contracts, leads=leads)
    told = {(row["source"], row["owner"]): row for row in
            whitespace_report(tables, as_of=AS_OF, params=settings)["leads"]}  # fmt: skip
    assert {key: (row["raised"], row["open"], row["won"], row["lost"]) for key, row in told.items()} == {
        ("all", "all"): (3, 1, 1, 1), ("csm", "all"): (3, 1, 1, 1), ("all", "Ada"): (2, 0, 1, 1),
        ("all", "Sam"): (1, 1, 0, 0), ("csm", "Ada"): (2, 0, 1, 1), ("csm", "Sam"): (1, 1, 0, 0),
    }  # fmt: skip
    assert told["all", "Ada"]["conversion"] == 0.5
    assert told["all", "Sam"]["conversion"] is None, "none of them is closed"
    assert told["all", "Ada"]["low"] < 0.5 < told["all", "Ada"]["high"]
    book = whitespace_report(tables, as_of=AS_OF, params=settings, csm="Ada")["leads"]
    assert {row["owner"] for row in book} == {"all", "Ada"}, "of a book, the own leads alone"
