"""Bridges between forecasts on record: which they are, and what the data folder still tells of them."""

from datetime import date

from features.tables.checked import Tables
from params import Params
from serving.forecast.batch import Forecast, run_id
from serving.ledger.archive import Known, known_at
from serving.ledger.bridging.between import Between, between
from serving.ledger.bridging.made_of import Remake, just_made, newest_official_before, on_record
from serving.ledger.record import Record
from training.tracking.champion import Champion, load_version


def recorded_bridge(
    record: Record,
    first: date,
    second: date,
    *,
    tables: Tables | None,
    params: Params,
    rolling: bool = False,
    all_orders: bool = False,
) -> Between:
    """The bridge between the forecasts of two dates on record; of one date, from its official one to its newest.

    Parameters
    ----------
    record
        The open record.
    first, second
        The dates.
    tables
        The checked tables: a forecast that keeps no archive is made again from them if they are those it was made from.
        None: not to be done.
    params
        All settings.
    rolling, all_orders
        As `between`.

    Raises
    ------
    BadRequest
        No forecast of a date is on record, or there can be no bridge between them.
    """
    remake = _remake(tables, params)
    made = [
        on_record(record, day, newest=newest, load_model=lambda number: load_version(params, number), remake=remake)
        for day, newest in ((first, False), (second, first == second))
    ]
    return between(*made, budget=params.budget, rolling=rolling, all_orders=all_orders)


def bridge_to(
    record: Record, tables: Tables, champion: Champion, forecast: Forecast, *, params: Params
) -> Between | None:
    """The bridge from the last official forecast to one that was just made; None where there is none before it.

    Raises
    ------
    BadRequest
        There can be no bridge between them.
    """
    day = newest_official_before(record, forecast.as_of, but=forecast.run_id)
    if day is None:
        return None
    first = on_record(
        record, day, newest=False, load_model=lambda number: load_version(params, number), remake=_remake(None, params)
    )
    return between(first, just_made(tables, champion, forecast, params=params), budget=params.budget)


def _remake(tables: Tables | None, params: Params) -> Remake:
    """What a run was made of, from tables that are still those it was made from."""

    def remake(run: str, as_of: date, champion: Champion) -> Known | None:
        if tables is None or run_id(tables, champion, as_of, params) != run:
            return None
        return known_at(tables, as_of, params=params)

    return remake
