"""A folder of exports, proposed, written as settings, read by them."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import params
from features.inputs.files.locate import query_text
from features.inputs.files.source_reader import SourceReader
from features.inputs.load import load_tables
from features.inputs.recipes.proposal import Proposal, propose
from features.inputs.recipes.settings_text import settings_text
from features.revenue import arr_by_account
from features.tables.checked import Tables
from features.tables.database import open_duckdb


class Company:
    """What a company exported, and what is made of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "exports"
        self.folder.mkdir(parents=True)
        self.file = folder / "mine.yaml"
        self.data_dir = folder / "data"
        self.last: Proposal | None = None

    def export(self, **sheets: str) -> "Company":
        """Write each sheet as CSV; its lines as in a file, cells split by commas."""
        for name, text in sheets.items():
            lines = [line.strip() for line in text.strip().splitlines()]
            (self.folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return self

    def proposed(self, **how: Any) -> Proposal:
        """The proposal, written as settings."""
        self.last = proposal = propose(self.folder, params.load().budget, **how)
        self.file.write_text(settings_text(proposal, self.folder), encoding="utf-8")
        return proposal

    def seen(self, table: str, *columns: str, **how: Any) -> list[tuple[Any, ...]]:
        """Rows that the proposed query of a table gives, sorted, without the check."""
        proposal = self.last or self.proposed(**how)
        settings = self.params
        copies = self.folder.parent
        with (
            open_duckdb(settings.budget) as connection,
            SourceReader(settings.source, settings.budget, copies, [copies]) as reader,
        ):
            query = query_text(connection, settings.source, table, proposal.tables[table].query, copies)
            select = reader.rows(f"SELECT {', '.join(columns)} FROM ({query}) ORDER BY ALL").select
            return reader.connection.execute(select).fetchall()

    @property
    def params(self) -> params.Params:
        """The settings that were written."""
        return params.load(self.file, [f"data_dir={self.data_dir}"])

    def tables(self) -> Tables:
        """The tables, checked."""
        return load_tables(self.params).tables

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Rows of a checked table, sorted."""
        with self.tables().connect(budget=self.params.budget) as connection:
            return connection.execute(f"SELECT {', '.join(columns)} FROM raw.{table} ORDER BY ALL").fetchall()

    def arr(self, day: date, known_by: date = date(2099, 1, 1)) -> dict[str, float]:
        """ARR of each account on a day, by all that is known, or that was by another."""
        settings = self.params
        frame = arr_by_account(self.tables(), [day], known_by=known_by, rules=settings.revenue, budget=settings.budget)
        return dict(zip(frame["account_id"], frame["arr"], strict=True))


@pytest.fixture
def company(tmp_path: Path) -> Callable[..., Company]:
    """A company from its sheets: company(subscriptions="...")."""
    return lambda **sheets: Company(tmp_path).export(**sheets)


@pytest.fixture
def companies(tmp_path: Path) -> Callable[..., Company]:
    """One of several companies from its sheets: companies("first", subscriptions="...")."""
    return lambda name, **sheets: Company(tmp_path / name).export(**sheets)
