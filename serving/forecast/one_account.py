"""One account's forecast with its reasons: from the published forecast where it is the same, else made afresh."""

import difflib
from datetime import date, datetime
from pathlib import Path

from features.revenue.cut_labels import labels_in_force
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from params import Params
from serving.forecast.batch import Forecast, forecast, require_usable, run_id
from serving.forecast.champion import Champion
from serving.forecast.export import read_published
from serving.forecast.refusals import BadRequest

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
    found = published_forecast(tables, champion, account_id, as_of=as_of, params=params)
    if found is None:
        found = forecast(tables, champion, as_of=as_of, params=params, made_at=made_at, progress=progress)
        _require_customer(found, account_id)
    return found


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
    _require_known(tables, account_id, as_of, params)
    found = _published(params.data_dir / "forecasts", as_of, run_id(tables, champion, as_of, params))
    if found is not None:
        _require_customer(found, account_id)
    return found


def _require_customer(found: Forecast, account_id: str) -> None:
    if account_id not in set(found.account_forecast["account_id"]):
        day = found.as_of
        raise BadRequest(f"Account {account_id!r} has no ARR on {day}, as known then; only customers are forecast.")


def _published(forecasts: Path, as_of: date, wanted: str) -> Forecast | None:
    """The published forecast of a date, if it is of that run."""
    found = read_published(forecasts, as_of)
    return found if found is not None and found.run_id == wanted else None


def _require_known(tables: Tables, account_id: str, as_of: date, params: Params) -> None:
    known = labels_in_force(tables, as_of, (), params.budget).index.tolist()
    if account_id not in known:
        near = difflib.get_close_matches(account_id, known, n=NEAR_MISSES)
        hint = f"Did you mean {', '.join(near)}?" if near else "Ids are in the column account_id of accounts."
        raise BadRequest(f"There is no account {account_id!r} among the {len(known):,} known on {as_of}. {hint}")
