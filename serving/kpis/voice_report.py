"""What customers say: scores by role and moment, response, themes and tickets, with the ARR behind each."""

import math
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.kpis.customers.voice import survey_answers, surveys_sent, tickets_opened
from features.revenue import arr_by_account
from features.revenue.paths import add_months
from features.tables.checked import Tables
from features.tables.problems import BadInput, Finding
from params import Params
from serving.forecast.refusals import BadRequest
from serving.retention.cohort_labels import given_names

ALL = "all"
NPS = "nps"
PROMOTES, DETRACTS = 9, 6
Z95 = 1.959964
MOST_COMMENTS = 200
Row = dict[str, Any]


def voice_report(tables: Tables, *, as_of: date, params: Params, months: int = 12) -> Row:
    """The voice of the customer over the months before a date, as plain data, from what was known before it.

    Raises
    ------
    BadRequest
        The date lies after the data.
    BadInput
        There are no surveys and no tickets.
    """
    if as_of > tables.data_until:
        raise BadRequest(f"--as-of {as_of} lies after {tables.data_until}, where the data end.")
    if not (tables.has("surveys") or tables.has("tickets")):
        what = "is absent, and so is tickets: nobody can say what customers said"
        raise BadInput([Finding("surveys", what, "Map one of them in source.tables.")])
    options: dict[str, Any] = {"since": add_months(as_of, -months), "as_of": as_of, "budget": params.budget}
    sent, answers = surveys_sent(tables, **options), survey_answers(tables, **options)
    arr = _arr(tables, as_of, params)
    return {
        "as_of": as_of.isoformat(),
        "from": options["since"].isoformat(),
        "currency": params.revenue.currency,
        "rows": list(_scores(sent, answers, arr)),
        "themes": list(_themes(answers, arr)),
        "tickets": list(_tickets(tickets_opened(tables, **options), arr)),
        "comments": list(_comments(answers, given_names(tables, as_of, params))),
        "definition": _definition(as_of, options["since"]),
    }


def _scores(sent: pd.DataFrame, answers: pd.DataFrame, arr: Mapping[str, float]) -> Iterator[Row]:
    """By kind of survey: of all, by role, by moment, and by both."""
    for kind in sorted({*sent["kind"], *answers["kind"]}):
        asked, told = sent[sent["kind"] == kind], answers[answers["kind"] == kind]
        for by in ((), ("respondent_role",), ("moment",), ("respondent_role", "moment")):
            for role, moment in _cells(asked, told, by):
                here = _score(kind, _of(asked, role, moment), _of(told, role, moment), arr)
                yield {"kind": kind, "role": role, "moment": moment} | here


def _cells(asked: pd.DataFrame, told: pd.DataFrame, by: tuple[str, ...]) -> list[tuple[str, str]]:
    """The roles and moments that occur; `all` for what it is not told by."""
    both = pd.concat([asked[["respondent_role", "moment"]], told[["respondent_role", "moment"]]])
    pairs = zip(both["respondent_role"], both["moment"], strict=True)
    by_role, by_moment = (name in by for name in ("respondent_role", "moment"))
    return sorted({(str(role) if by_role else ALL, str(moment) if by_moment else ALL) for role, moment in pairs})


def _of(rows: pd.DataFrame, role: str, moment: str) -> pd.DataFrame:
    for name, value in (("respondent_role", role), ("moment", moment)):
        rows = rows if value == ALL else rows[rows[name] == value]
    return rows


def _score(kind: str, sent: pd.DataFrame, answers: pd.DataFrame, arr: Mapping[str, float]) -> Row:
    """The mean score of answers with its interval, NPS in points, and how many of those asked answered."""
    scores = answers["score"].to_numpy(dtype=float)
    points = 100.0 * ((scores >= PROMOTES).astype(float) - (scores <= DETRACTS)) if kind == NPS else scores
    n = len(points)
    mean = float(points.mean()) if n else None
    spread = Z95 * float(np.std(points, ddof=1)) / math.sqrt(n) if n > 1 else None
    return {
        "sent": len(sent),
        "answered": int(sent["answered"].sum()),
        "response_rate": float(sent["answered"].mean()) if len(sent) else None,
        "n": n,
        "figure": mean,
        "low": None if mean is None or spread is None else mean - spread,
        "high": None if mean is None or spread is None else mean + spread,
        "accounts": int(answers["account_id"].nunique()),
        "arr": _behind(answers["account_id"], arr),
    }


def _themes(answers: pd.DataFrame, arr: Mapping[str, float]) -> Iterator[Row]:
    """By kind and theme, most ARR first."""
    rows: list[Row] = [
        {"kind": kind, "theme": theme, "answers": len(part), "mean_score": float(part["score"].mean())}
        | {"accounts": int(part["account_id"].nunique()), "arr": _behind(part["account_id"], arr)}
        for (kind, theme), part in answers.groupby(["kind", "theme"], sort=True)
    ]
    yield from sorted(rows, key=lambda row: (row["kind"], -row["arr"], row["theme"]))


def _tickets(tickets: pd.DataFrame, arr: Mapping[str, float]) -> Iterator[Row]:
    """By category, most ARR first."""
    rows: list[Row] = [
        {"category": category, "tickets": len(part), "accounts": int(part["account_id"].nunique())}
        | {"arr": _behind(part["account_id"], arr)}
        for category, part in tickets.groupby("category", sort=True)
    ]
    yield from sorted(rows, key=lambda row: (-row["arr"], row["category"]))


def _comments(answers: pd.DataFrame, names: Mapping[str, str]) -> Iterator[Row]:
    """What was written, the newest first; two hundred at most."""
    written = answers[answers["comment"].notna() & (answers["comment"] != "")]
    for row in written.head(MOST_COMMENTS).to_dict("records"):
        account = str(row["account_id"])
        day = (pd.Timestamp(0) + pd.Timedelta(days=int(row["day"]))).date().isoformat()
        about = {"account_id": account, "name": names.get(account, account), "responded_on": day}
        told = {name: row[name] for name in ("kind", "moment", "theme", "score", "comment")}
        yield about | {"role": row["respondent_role"]} | told


def _arr(tables: Tables, as_of: date, params: Params) -> dict[str, float]:
    frame = arr_by_account(tables, [as_of], known_by=as_of, rules=params.revenue, budget=params.budget)
    return {str(account): float(amount) for account, amount in zip(frame["account_id"], frame["arr"], strict=True)}


def _behind(accounts: "pd.Series[str]", arr: Mapping[str, float]) -> float:
    """ARR of the accounts, each once; of those that left, none."""
    return round(math.fsum(arr.get(str(account), 0.0) for account in accounts.unique()), 2)


def _definition(as_of: date, since: date) -> str:
    return (
        f"Surveys sent and answered, and tickets opened, from {since} to {as_of}, as known before {as_of}. figure: NPS "
        "is the share of 9 and 10 less that of 0 to 6, in points; csat and ces are mean scores; low and high its 95 % "
        "interval. response_rate is of the surveys sent then, where the source says when they were sent. arr: ARR of "
        "the accounts behind it today, each counted once. Those who answer are not all customers."
    )
