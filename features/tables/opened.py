"""Checked tables kept open while much is asked of them: a file is opened once, what several ask for made once."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from params import Budget

if TYPE_CHECKING:
    from features.tables.checked import Tables

MOST_KEPT = 8  # of what is made once; the one asked for longest ago goes first
Make = Callable[[duckdb.DuckDBPyConnection], Sequence[str]]  # makes temp tables, and names those that are asked for


@contextmanager
def kept_open(tables: "Tables", budget: Budget) -> Iterator["Tables"]:
    """The same tables, open until the end of the block: their files must stay as they are so long.

    Parameters
    ----------
    tables
        The checked tables.
    budget
        What the databases may use.
    """
    opened = Opened(budget)
    try:
        yield replace(tables, opened=opened)
    finally:
        opened.close()


class Opened:
    """The open databases of checked tables, by file, and the tables that were made in them.

    Parameters
    ----------
    budget
        What each database may use.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._databases: dict[Path, duckdb.DuckDBPyConnection] = {}
        self._schemas: OrderedDict[tuple[Path, Hashable], str] = OrderedDict()
        self._made = 0

    def connect(self, tables: "Tables", schema: str = "main") -> duckdb.DuckDBPyConnection:
        """A connection of its own to the tables' database, which reads the tables of a schema by their bare names."""
        connection = self._database(tables).cursor()
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET search_path = 'memory.{schema}'")
        return connection

    def prepared(self, tables: "Tables", key: Hashable, make: Make) -> duckdb.DuckDBPyConnection:
        """The same with the tables that `make` makes, once a file and key.

        Temp tables of a connection hide those of the same name, and go with it.
        """
        place = (tables.database, key)
        if place not in self._schemas:
            self._schemas[place] = self._made_once(tables, make)
        self._schemas.move_to_end(place)
        while len(self._schemas) > MOST_KEPT:
            (file, _), schema = self._schemas.popitem(last=False)
            self._databases[file].execute(f"DROP SCHEMA {schema} CASCADE")
        return self.connect(tables, self._schemas[place])

    def close(self) -> None:
        """Close all databases."""
        for database in self._databases.values():
            database.close()
        self._databases.clear()
        self._schemas.clear()

    def _database(self, tables: "Tables") -> duckdb.DuckDBPyConnection:
        if tables.database not in self._databases:
            self._databases[tables.database] = replace(tables, opened=None).connect(budget=self._budget)
        return self._databases[tables.database]

    def _made_once(self, tables: "Tables", make: Make) -> str:
        """The name of a new schema with what `make` makes."""
        self._made += 1
        schema = f"made_{self._made}"
        with self.connect(tables) as connection:
            names = make(connection)
            connection.execute(f"CREATE SCHEMA memory.{schema}")
            for name in names:
                connection.execute(f"CREATE TABLE memory.{schema}.{name} AS FROM temp.main.{name}")
        return schema
