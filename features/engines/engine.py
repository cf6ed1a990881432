"""What an engine does: take small tables, make work tables of statements, and hand back one result."""

import importlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Protocol, Self

import pandas as pd
import pyarrow as pa

from params import SettingsError

PANDAS_WARNING = "PySpark does not yet fully support pandas"
Frames = Mapping[str, "pd.DataFrame | pa.Table"]


class Engine(Protocol):
    """A session of an engine: what it makes is temporary, and gone when the session ends.

    Every statement is restricted SQL as `features.engines.dialects` describes it, in which `raw.<table>` is a table
    of the source.
    """

    def __enter__(self) -> Self:
        """Open the session."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the session; nothing is left behind."""

    def load(self, frames: Frames) -> None:
        """Make temporary tables of small tables, in place of any of the same name."""

    def ranges(self, snapshots: int) -> Iterator[None]:
        """Let `raw` show one range of accounts after another, or all at once where memory is not ours to save.

        `snapshots` is how many are made of each account.
        """

    def make(self, statements: Sequence[str]) -> None:
        """Run statements that make and drop temporary tables."""

    def fetch(self, select: str) -> pa.Table:
        """The rows of a SELECT: whole numbers as int64, text as string, the rest as DuckDB hands it over."""

    def snapshots(self, select: str) -> pa.Table:
        """The rows of a SELECT with `account_id` and `k`, sorted by `k` and the account's id as the source has it."""


class WarehouseEngine(Engine, Protocol):
    """An engine over raw tables that are not in the store: it can look for them, and see them as views."""

    dialect: str

    def view(self, name: str, select: str) -> None:
        """Make a temporary view of a SELECT in the engine's own SQL."""

    def find(self, name: str, path: Path | None) -> str | None:
        """What to select the raw table of that name from; None if there is none."""

    def types(self, relation: str) -> dict[str, str]:
        """Names and types of the columns of what `find` gave, or of a query in parentheses."""

    def rows(self, select: str, *, as_text: bool = False) -> pa.Table:
        """The rows of a SELECT in the engine's own SQL; `as_text` leaves values that have no plain type as text."""


def by_date_and_account(table: pa.Table) -> pa.Table:
    """The rows sorted by `k` and `account_id`, byte by byte."""
    return table.sort_by([("k", "ascending"), ("account_id", "ascending")])


def driver(name: str, *, extra: str, setting: str = "source.engine") -> ModuleType:
    """Import an engine's driver, which an extra installs.

    Raises
    ------
    SettingsError
        It is not installed.
    """
    try:
        with warnings.catch_warnings():  # PySpark warns of pandas 3, which it is not given here
            warnings.filterwarnings("ignore", message=PANDAS_WARNING)
            return importlib.import_module(name)
    except ImportError:
        raise SettingsError(
            f"{setting}: {extra} needs the package {name}, which is not installed. "
            f"Install it: pip install 'holdfast[{extra}]'."
        ) from None


def as_arrow(table: "pd.DataFrame | pa.Table") -> pa.Table:
    """The table as Arrow."""
    return table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)


def plain(table: pa.Table) -> pa.Table:
    """The table with integers of 64 bits, text of 32-bit offsets, and moments without a zone."""
    schema = pa.schema([field.with_type(_plain(field.type)).with_nullable(True) for field in table.schema])
    return pa.table(table.columns, names=table.schema.names).cast(schema)


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0):
        return pa.int64()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    return pa.string() if pa.types.is_large_string(kind) else kind
