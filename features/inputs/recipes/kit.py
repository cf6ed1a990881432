"""What a recipe works with: the sheets of its tool as cells, the accounts behind ids, and where it puts its drafts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from features.inputs.recipes.cells import Cells
from features.inputs.recipes.habits import Habits
from features.inputs.recipes.shape import Match
from features.inputs.recipes.survey import plain
from features.tables.sql import named, quoted


@dataclass(frozen=True)
class Draft:
    """A table of the contract as one recipe proposes it.

    `query` may name parts as `{name}`; `columns` are what it selects. `why` goes into the settings as comments.
    """

    table: str
    source: str
    sheets: tuple[str, ...]
    query: str
    columns: tuple[str, ...]
    why: tuple[str, ...] = ()
    confidence: float = 1.0


@dataclass(frozen=True)
class Thing:
    """A kind of thing with ids, such as Stripe's customers: which sheet lists them, and what else may name them.

    `listing` selects `id`, `columns` and the `keys`: columns by which the same thing may be known elsewhere, each with
    the kind of key it is: id, email, domain or name. `within` gives columns that hold the id of a thing of another
    kind. `also` is a query whose customer_id are ids, too.
    """

    kind: str
    source: str
    sheet: str
    listing: str
    columns: tuple[str, ...]
    keys: Mapping[str, str]
    within: Mapping[str, str] = field(default_factory=dict)
    is_account: bool = True
    also: str = ""


@dataclass
class Kit:
    """The sheets of one tool, with what its recipe says of them."""

    source: str
    matches: Mapping[str, Match]
    habits: Habits
    questions: list[str] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    resolved: set[str] = field(default_factory=set)
    read: dict[str, dict[str, str]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.matches

    def cells(self, name: str, alias: str = "t") -> Cells:
        """The columns of one of its sheets."""
        return Cells(self.matches[name], self.habits, alias, self.read.setdefault(name, {}))

    def sheet_parts(self) -> dict[str, str]:
        """The parts that read its sheets, so far as they were asked for."""
        cells = [self.cells(name) for name in self.read]
        return {one.name: one.part() for one in cells}

    def sheets(self, *names: str) -> tuple[str, ...]:
        """The names of the sheets that are there."""
        return tuple(file for name in names if name in self.matches for file in self.matches[name].sheet.names)


def account_part(kind: str) -> str:
    """The part that gives the account of each id of a kind: `id`, `account_id`."""
    return f"account_of_{kind}"


def listed_thing(
    kit: Kit,
    cells: Cells,
    kind: str,
    identity: str,
    columns: Mapping[str, str],
    keys: Mapping[str, str],
    **more: Any,
) -> Thing:
    """Things of a sheet, with the columns that may hold ids of theirs elsewhere among their keys."""
    others = _other_keys(cells)
    columns = {name: text for name, text in columns.items() if not text.startswith(("NULL", "CAST(NULL", "LOWER(NULL"))}
    keys = {name: by for name, by in keys.items() if name in columns}
    selected = {"id": identity, **columns, **others}
    texts = ",\n       ".join(f"{text} AS {named(name)}" for name, text in selected.items())
    listing = f"SELECT {texts}\nFROM {cells.rows}\nWHERE {identity} IS NOT NULL AND NOT {cells.true('deleted')}"
    keys = {"id": "id", **keys, **dict.fromkeys(others, "id")}
    return Thing(kind, kit.source, cells.match.sheet.name, listing, tuple(columns), keys, **more)


def _other_keys(cells: Cells) -> dict[str, str]:
    """Columns without a role that look like ids, and the keys of metadata that do."""
    keys = {}
    for column in cells.match.unrecognised:
        if re.search(r"(^|_)(id|ids|key|uuid|code|number|external)(_c|_metadata)?$", plain(column)):
            keys[f"key_{plain(column)}"] = cells.column(column)
    for name in cells.metadata_keys():
        keys[f"key_{plain(name)}"] = f"json_extract_string({cells.text('metadata')}, {quoted('$.' + name)})"
    return keys


def reach(kit: Kit, cells: Cells, *links: tuple[str, str]) -> tuple[str, str]:
    """Of a sheet its account and the joins that lead there: by the first of some columns that leads to an account.

    Parameters
    ----------
    links
        Columns by role, each with the kind of thing whose ids it holds.
    """
    there = [(role, kind) for role, kind in links if cells.has(role) and kind in kit.resolved]
    joins = [
        f"LEFT JOIN {{{account_part(kind)}}} AS a{number} ON a{number}.id = {cells.first_of_list(role)}"
        for number, (role, kind) in enumerate(there)
    ]
    accounts = [f"a{number}.account_id" for number in range(len(there))]
    account = accounts[0] if len(accounts) == 1 else f"COALESCE({', '.join(accounts)})" if accounts else "NULL"
    return account, "\n".join(joins)


def tidied(query: str) -> str:
    """A query without conditions that are always met."""
    query = query.replace(" AND NOT FALSE", "").replace("WHERE NOT FALSE AND ", "WHERE ")
    return re.sub(r"\n?\s*WHERE NOT FALSE(?=\s*(\)|\n|$))", "", query)
