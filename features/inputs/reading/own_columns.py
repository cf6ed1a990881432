"""The columns beyond the contract's that the settings ask for, and what each must hold."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from features.families.own_checks import FAMILY_OF, columns_read, completed, numbers_read
from features.tables import contract
from params import Params, Source

Kind = Literal["text", "number"]


@dataclass(frozen=True)
class Wanted:
    """A column that the settings ask for: where they name it, and what it holds, if they say.

    `is_attribute` says that a feature is the column itself, so that what it holds decides what is learned from it.
    """

    named_in: str
    kind: Kind | None = None
    is_attribute: bool = False


def extra_columns(params: Params, source: Source) -> dict[str, dict[str, Wanted]]:
    """Of each table, the columns to keep that the contract does not declare.

    They are those that `source.tables` names, those of accounts that portfolios are cut by, and those that features of
    the settings read. A column holds what the settings say, numbers where it is added up, compared or cut by edges, and
    else what its source says.
    """
    wanted: dict[str, dict[str, Wanted]] = {name: {} for name in contract.TABLES}
    for table, column, more in _asked_for(params, source):
        if table in FAMILY_OF and column not in contract.TABLES[table].names:
            one = wanted[table].get(column, more)
            either = one.is_attribute or more.is_attribute
            wanted[table][column] = replace(one, kind=one.kind or more.kind, is_attribute=either)
    return wanted


def _asked_for(params: Params, source: Source) -> Iterator[tuple[str, str, Wanted]]:
    """What is asked for, the most binding first."""
    for table, setting in source.tables.items():
        place = f"source.tables.{table}.extra"
        place = f"forecast.cuts or {place}" if table == "accounts" else place
        yield from ((table, column, Wanted(place, kind)) for column, kind in setting.extra.items())
    for cut in params.forecast.cuts:
        kind: Kind | None = "number" if params.forecast.cut_edges.get(cut) else None
        yield "accounts", cut, Wanted("forecast.cuts or source.tables.accounts.extra", kind)
    for name, declared in params.features.items():
        feature = completed(name, declared)
        for column in columns_read(feature):
            kind = "number" if column in numbers_read(feature) else None
            yield feature.table, column, Wanted(f"features.{name}", kind, feature.table == "accounts")
