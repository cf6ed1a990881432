"""The engine that a set of checked tables needs."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from features.engines import dialects
from features.engines.embedded import Embedded
from features.engines.engine import Engine, WarehouseEngine
from features.tables import contract
from features.tables.checked import Tables, Warehouse, text_of
from features.tables.sql import code, named, plain
from params import Budget


@contextmanager
def engine_of(tables: Tables, *, budget: Budget) -> Iterator[Engine]:
    """A session of the engine where the tables live, ready to run the snapshots' statements.

    The checked tables that are kept here (accounts, contracts, rates) are lent to a warehouse for the session.
    """
    if tables.warehouse is None:
        with Embedded(tables, budget=budget) as embedded:
            yield embedded
        return
    lent_tables = [name for name in tables.columns if name not in tables.warehouse.selects]
    with warehouse_engine(tables.warehouse, budget=budget) as engine:
        engine.load({lent(name): table for name, table in _kept(tables, lent_tables).items()})
        for name, select in tables.warehouse.selects.items():
            engine.view(lent(f"typed_{name}"), select)
            engine.view(lent(name), dialects.translate(_whole(tables, name), engine.dialect))
        yield engine


def warehouse_engine(place: Warehouse, *, budget: Budget) -> WarehouseEngine:
    """An engine where raw tables live; what it needs is imported only here."""
    if place.engine == "postgres":
        from features.engines.postgres import Postgres

        return Postgres(place.url, budget=budget)
    from features.engines.spark import Spark

    return Spark(place.url, budget=budget)


def lent(name: str) -> str:
    """What a table that is kept here is called in the warehouse."""
    return f"raw_{name}"


def _whole(tables: Tables, name: str) -> str:
    """SELECT of a table with all columns of the contract: what absent and empty cells stand for, codes of texts."""
    columns = []
    for column in contract.TABLES[name]:
        cell = column.name if tables.has(name, column.name) else ""
        coded = cell and column.keyed and column.type is contract.Type.TEXT
        columns.append(f"{code(cell) if coded else column.value(cell)} AS {column.name}")
        columns += [f"{cell} AS {text_of(column.name)}"] if cell and column.keyed else []
    columns += [plain(extra) for extra in tables.columns[name] if extra not in contract.TABLES[name].names]
    return f"SELECT {', '.join(columns)} FROM raw.typed_{name}"


def _kept(tables: Tables, names: list[str]) -> dict[str, pa.Table]:
    with tables.connect(budget=Budget(1, 1.0)) as connection:
        return {name: connection.sql(f"SELECT * FROM raw.{named(name)}").to_arrow_table() for name in names}
