"""What the check tells about an input that can be used: a line a table, what is absent, and warnings."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from features.tables import contract
from features.tables.problems import Finding


@dataclass(frozen=True)
class TableReport:
    """What became of one table.

    `columns` are the contract's columns that are there, `absent` its optional ones that are not, `extra` those of
    your own that are kept; `first_day` and `last_day` span the table's event days (of contracts, their starts).
    """

    table: str
    rows_read: int
    rows_kept: int
    rows_quarantined: int
    columns: tuple[str, ...]
    absent: tuple[str, ...]
    extra: tuple[str, ...]
    first_day: date | None
    last_day: date | None


@dataclass(frozen=True)
class CheckReport:
    """The outcome of a check that found no problem: per table, absent optional tables, and warnings.

    `data_until` is the first day that the data do not cover, `data_until_from` the setting or the columns that
    decided it, and `data_until_why` the reason in words.
    """

    tables: tuple[TableReport, ...]
    absent_tables: tuple[str, ...]
    warnings: tuple[Finding, ...]
    data_until: date
    data_until_from: tuple[str, ...]
    data_until_why: str

    def lost(self, needs: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """What is lost for want of each absent table or column.

        Parameters
        ----------
        needs
            For each feature, the `table.column`s it is made from.

        Returns
        -------
        dict
            For each absent table or `table.column` that something needs, the names of what needs it.
        """
        present = {f"{table.table}.{column}" for table in self.tables for column in (*table.columns, *table.extra)}
        lost: dict[str, list[str]] = {}
        for feature, columns in needs.items():
            for column in columns:
                table = column.split(".")[0]
                if column not in present:
                    lost.setdefault(table if table in self.absent_tables else column, []).append(feature)
        return {place: tuple(dict.fromkeys(names)) for place, names in lost.items()}

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(asdict(self), default=date.isoformat)

    @classmethod
    def from_json(cls, text: str) -> "CheckReport":
        """The report that `to_json` wrote."""
        content = json.loads(text)
        return cls(
            tables=tuple(_table_report(table) for table in content["tables"]),
            absent_tables=tuple(content["absent_tables"]),
            warnings=tuple(
                Finding(**finding | {"examples": tuple(finding["examples"])}) for finding in content["warnings"]
            ),
            data_until=date.fromisoformat(content["data_until"]),
            data_until_from=tuple(content["data_until_from"]),
            data_until_why=content["data_until_why"],
        )


def absent_tables(present: Mapping[str, Any]) -> tuple[str, ...]:
    """The contract's tables that are not there."""
    return tuple(name for name in contract.TABLES if name not in present)


def _table_report(content: Mapping[str, Any]) -> TableReport:
    days = {name: content[name] and date.fromisoformat(content[name]) for name in ("first_day", "last_day")}
    names = {name: tuple(content[name]) for name in ("columns", "absent", "extra")}
    return TableReport(**dict(content) | days | names)
