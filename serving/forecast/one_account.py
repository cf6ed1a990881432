"""One account's forecast with its reasons: from the published forecast where it is the same, else made afresh."""

import difflib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import NoReturn

from features.revenue.cut_labels import account_names
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.words import counted
from params import Params
from serving.forecast.batch import Forecast, forecast, require_usable, run_id
from serving.forecast.export import read_published
from serving.forecast.refusals import BadRequest
from training.tracking.champion import Champion

NEAR_MISSES = 3


def account_forecast(
    tables: Tables,
    champion: Champion,
    account_id: str,
    *,
    as_of: date,
    params: Params,
    made_at: datetime,
    progress: Progress = silent,
) -> Forecast:
    """The forecast that holds an account: the published one if its run id is the same, else a new one.

    Raises
    ------
    BadRequest
        No such account, or it has no ARR at `as_of`; or what `serving.forecast.batch.forecast` refuses.
    """
    published = published_forecast(tables, champion, account_id, as_of=as_of, params=params)
    if published is not None:
        return published
    fresh = forecast(tables, champion, as_of=as_of, params=params, made_at=made_at, progress=progress)
    _require_customer(fresh, account_id)
    return fresh


def published_forecast(
    tables: Tables, champion: Champion, account_id: str, *, as_of: date, params: Params
) -> Forecast | None:
    """The published forecast of a date, if it is what would be forecast now; None if not. Nothing is written.

    Raises
    ------
    BadRequest
        As `account_forecast`.
    """
    require_usable(tables, champion, as_of, params)
    named_account(tables, account_id, as_of, params)
    published = _published(params.data_dir / "forecasts", as_of, run_id(tables, champion, as_of, params))
    if published is not None:
        _require_customer(published, account_id)
    return published


def _require_customer(result: Forecast, account_id: str) -> None:
    if account_id not in set(result.account_forecast["account_id"]):
        day = result.as_of
        raise BadRequest(f"Account {account_id!r} has no ARR on {day}, as known then; only customers are forecast.")


def _published(forecasts: Path, as_of: date, wanted_run: str) -> Forecast | None:
    """The published forecast of a date, if it is of that run."""
    published = read_published(forecasts, as_of)
    return published if published is not None and published.run_id == wanted_run else None


def named_account(tables: Tables, account: str, as_of: date, params: Params) -> tuple[str, str]:
    """The id and the name of the account that somebody means by its id, or by its name, whatever its case.

    Raises
    ------
    BadRequest
        There is none of that id or name, with those that come near; or several have the name, with their ids.
    """
    return account_among(account, account_names(tables, as_of, params.budget), as_of)


def account_among(account: str, names: Mapping[str, str], as_of: date) -> tuple[str, str]:
    """The same among accounts whose names are given by id.

    Raises
    ------
    BadRequest
        As `named_account`.
    """
    if account in names:
        return account, names[account]
    same = [account_id for account_id, name in names.items() if name.casefold() == account.strip().casefold()]
    if len(same) > 1:
        raise BadRequest(
            f"{counted(len(same), 'account')} are named {account!r}: {', '.join(same[:NEAR_MISSES])}. Give the id."
        )
    return (same[0], names[same[0]]) if same else _refuse(account, names, as_of)


def _refuse(account: str, names: Mapping[str, str], as_of: date) -> NoReturn:
    """Say that there is no such account, and which ids and names come near."""
    texts = {text.casefold(): text for text in (*names, *names.values())}
    near = [texts[text] for text in difflib.get_close_matches(account.casefold(), texts, n=NEAR_MISSES)]
    hint = f"Did you mean {', '.join(near)}?" if near else "Ids are in the column account_id of accounts."
    raise BadRequest(f"There is no account {account!r} among the {len(names):,} known on {as_of}. {hint}")
