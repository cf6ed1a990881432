"""Scores by id from the publication, and scores made now from changed inputs: bytes out, nothing about HTTP in."""

import difflib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.families.catalogue import FEATURES
from models.outcomes.facts import UNDER_NOTICE
from serving.access.tokens import Caller
from serving.desk.following import State
from serving.desk.queries import require_horizon
from serving.forecast.live import Scorer
from serving.publication.reader import Published
from serving.wire.answers import Refused
from serving.wire.schemas import ChangedAccount, LiveRequest, ScoreRequest

LARGEST = 1e12
SMALLEST_ARR = 0.01
_TERM_END = "term_ends_on"
NEAR_MISSES = 3
_STATE = {
    "arr": "currency a year",
    "term_days": "days",
    "due_share": "0 to 1",
    "notice_given": "0/1",
    UNDER_NOTICE: "0 to 1",
    "presigned": "0/1",
}
_FIRST_DAY, _LAST_DAY = date(1990, 1, 1), date(2100, 1, 1)
_LIMITS: Mapping[str, tuple[float, float]] = {feature.name: feature.possible for feature in FEATURES} | {
    "arr": (SMALLEST_ARR, LARGEST),
    "term_days": (1, 36_600),
}
_LIMITS_OF_UNIT = {"rows": (0.0, LARGEST), "values": (0.0, LARGEST), "days": (0.0, LARGEST), "share": (0.0, 1.0)}


def by_id(state: State, request: ScoreRequest, caller: Caller) -> bytes:
    """Published scores, in the order asked for.

    Raises
    ------
    Refused
        503 without a publication; 404 where an account is not there, or not in the caller's book; 422 for a horizon
        that is not published.
    """
    published = require_published(state)
    for months in request.horizons or ():
        require_horizon(published, months, name="horizons")
    pairs = [(account, published.score(account, caller.csm)) for account in request.account_ids]
    require_all([account for account, score in pairs if score is None], caller)
    scores = [_cut(score, request) for _, score in pairs if score is not None]
    return published.head + b",".join(scores) + b"]}"


def now(state: State, request: LiveRequest, caller: Caller) -> bytes:
    """Scores by the champion of accounts as they are or would be.

    Raises
    ------
    Refused
        503 without a model or a publication; 404 for an account that is not there, or not in the caller's book; 422
        for an input that the model does not know or a value it cannot have.
    """
    published, scorer = require_published(state), require_scorer(state)
    frame = changed_rows(published, scorer, request.accounts, caller)
    try:
        scores = scorer.score(frame)
    except ValueError as error:
        raise Refused(503, f"The champion cannot read what is published: {error}") from None
    names = ("run_id", "as_of", "made_at", "currency")
    content = {name: published.about[name] for name in names} | {
        "model_version": scorer.champion.version,
        "source": "live",
        "definition": published.about["account_definition"],
        "scores": scores,
    }
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def require_published(state: State) -> Published:
    """The publication, or 503."""
    if state.published is None:
        raise Refused(503, "Nothing is published yet: run `holdfast publish`.", retry_after="10")
    return state.published


def require_scorer(state: State) -> Scorer:
    """The scorer, or 503."""
    if state.scorer is None:
        raise Refused(503, state.no_model, retry_after="10")
    return state.scorer


def require_all(missing: Sequence[str], caller: Caller) -> None:
    """404 that names the accounts that are not there; another's accounts are as if they were not there."""
    if missing:
        head = "There is no customer" if caller.csm is None else f"The book of {caller.csm} has no customer"
        first = ", ".join(repr(account) for account in missing[:NEAR_MISSES])
        more = f" and {len(missing) - NEAR_MISSES} more" if len(missing) > NEAR_MISSES else ""
        raise Refused(404, f"{head} {first}{more}.", [{"account_id": a} for a in missing[:50]])


def inputs_of(scorer: Scorer) -> list[dict[str, Any]]:
    """What `changes` may name: the model's inputs and the account's state."""
    model = scorer.champion.model
    inputs = [
        {
            "name": item.name,
            "kind": item.kind,
            "unit": item.unit,
            "meaning": item.meaning,
            "categories": list(item.categories),
            **_limits(item.name, item.kind, item.unit),
        }
        for item in model.inputs
    ]
    names = {item["name"] for item in inputs}
    state = [
        {"name": n, "kind": "number", "unit": u, "meaning": "", "categories": [], **_limits(n, "number", u)}
        for n, u in _STATE.items()
        if n not in names
    ]
    return [*inputs, *state, {"name": _TERM_END, "kind": "date", "unit": "date", "meaning": "", "categories": []}]


def _limits(name: str, kind: str, unit: str) -> dict[str, float]:
    """The least and the most that an input can be; one that the settings declare, by its unit. Of text nothing."""
    if kind != "number":
        return {}
    least, most = _LIMITS.get(name) or _LIMITS_OF_UNIT.get(unit, (-LARGEST, LARGEST))
    return {"least": max(least, -LARGEST), "most": min(most, LARGEST)}


def changed_rows(
    published: Published, scorer: Scorer, accounts: Sequence[ChangedAccount], caller: Caller
) -> pd.DataFrame:
    """Snapshot rows of accounts with their inputs replaced, in the order given."""
    if caller.csm is not None and any(account.new for account in accounts):
        raise Refused(403, "A token of role csm scores accounts of its own book, not new ones.")
    _require_unknown(published, accounts)
    customers = [account.account_id for account in accounts if not account.new]
    rows, missing = published.rows_of(customers, caller.csm)
    require_all(missing, caller)
    frame = _with_new(published, rows, accounts)
    changes: dict[str, dict[int, Any]] = {}
    kinds = {item["name"]: item for item in inputs_of(scorer)}
    for row, account in enumerate(accounts):
        _require_arr(account)
        for name, value in account.changes.items():
            changes.setdefault(name, {})[row] = _value(name, value, kinds, f"accounts.{row}.changes")
    _say_notice_twice(changes)
    for name, values in changes.items():
        column = (
            frame[name].astype(object) if name in frame.columns else pd.Series(None, index=frame.index, dtype=object)
        )
        column.iloc[list(values)] = list(values.values())
        frame[name] = _typed(column, kinds[name]["kind"])
    return frame


def _say_notice_twice(changes: dict[str, dict[int, Any]]) -> None:
    """Notice is of all ARR unless its share is given, and a share under notice is notice."""
    given, share = changes.get("notice_given", {}), changes.get(UNDER_NOTICE, {})
    for row in given.keys() & share.keys():
        if (given[row] > 0) != (share[row] > 0):
            raise _wrong(f"accounts.{row}.changes.{UNDER_NOTICE}", "notice where notice_given says none, or none")
    if given or share:
        changes[UNDER_NOTICE] = given | share
        changes["notice_given"] = {row: float(value > 0) for row, value in share.items()} | given


def _cut(score: bytes, request: ScoreRequest) -> bytes:
    """The part of a score that was asked for."""
    if request.horizons is None and request.drivers is None:
        return score
    content = json.loads(score)
    if request.horizons is not None:
        content["horizons"] = [row for row in content["horizons"] if row["horizon_months"] in request.horizons]
    if request.drivers is not None:
        content["drivers"] = {outcome: rows[: request.drivers] for outcome, rows in content["drivers"].items()}
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def _with_new(published: Published, rows: pd.DataFrame, accounts: Sequence[ChangedAccount]) -> pd.DataFrame:
    """The rows of known accounts and empty ones of new accounts, in the order of `accounts`."""
    if not any(account.new for account in accounts):
        return rows
    empty = published.snapshot.iloc[:0].reindex(range(sum(account.new for account in accounts)))
    empty["as_of"] = pd.Timestamp(published.about["as_of"])
    empty = empty.assign(notice_given=0.0, presigned=0.0).astype(published.snapshot.dtypes.to_dict())
    both = pd.concat([rows, empty], ignore_index=True)
    old, new = iter(range(len(rows))), iter(range(len(rows), len(both)))
    ordered = both.iloc[[next(new) if account.new else next(old) for account in accounts]].reset_index(drop=True)
    return ordered.assign(account_id=[account.account_id for account in accounts])


def _require_unknown(published: Published, accounts: Sequence[ChangedAccount]) -> None:
    """A new account has an id of its own: the past of a customer, or of one that left, would pass for its own."""
    for row, account in enumerate(accounts):
        if account.new and published.knows(account.account_id):
            raise _wrong(f"accounts.{row}.account_id", "a customer has it, or had it lately: give another")


def _require_arr(account: ChangedAccount) -> None:
    if account.new and account.changes.get("arr") is None:
        raise Refused(422, "A new account needs its ARR: give `arr` in `changes`.")


def _value(name: str, value: Any, kinds: Mapping[str, Mapping[str, Any]], where: str) -> Any:
    """A change as the frame takes it.

    Raises
    ------
    Refused
        The model knows no such input, or the value is not of its kind.
    """
    if name not in kinds:
        near = difflib.get_close_matches(name, list(kinds), n=NEAR_MISSES)
        hint = f"Did you mean {', '.join(near)}?" if near else "GET /api/model lists what can be changed."
        raise _wrong(where, f"the model reads no input of that name. {hint}")
    kind, place = kinds[name]["kind"], f"{where}.{name}"
    if value is None:
        if name == "arr":
            raise _wrong(place, "ARR must be known")
        return {"number": math.nan, "date": pd.NaT}.get(kind)
    if kind == "number":
        return _number(value, kinds[name]["least"], kinds[name]["most"], place)
    if not isinstance(value, str):
        raise _wrong(place, "text is expected")
    return value if kind == "category" else _day(value, place)


def _number(value: Any, least: float, most: float, place: str) -> float:
    if isinstance(value, str) or not math.isfinite(value) or not least <= value <= most:
        raise _wrong(place, f"a number from {least:g} to {most:g} is expected")
    return float(value)


def _day(text: str, place: str) -> pd.Timestamp:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _wrong(place, "a date is expected, as YYYY-MM-DD") from None
    if not _FIRST_DAY <= day <= _LAST_DAY:
        raise _wrong(place, f"a date from {_FIRST_DAY} to {_LAST_DAY} is expected")
    return pd.Timestamp(day)


def _typed(column: "pd.Series[Any]", kind: str) -> "pd.Series[Any]":
    if kind == "number":
        return pd.Series(np.asarray(column, dtype=np.float64), index=column.index)
    return pd.to_datetime(column) if kind == "date" else column.astype("str").where(column.notna())


def _wrong(where: str, why: str) -> Refused:
    return Refused(422, f"{where}: {why}{'' if why.endswith(('.', '?')) else '.'}", [{"where": where, "message": why}])
