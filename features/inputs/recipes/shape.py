"""The shapes of tables that tools export, and which sheet has which: told by the names of its columns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from features.inputs.recipes.survey import Sheet
from features.tables.sql import named

NAMED_AFTER = 3  # what a file's name counts beside one column
DISTINCT = 2


@dataclass(frozen=True)
class Shape:
    """One kind of table of one tool.

    `columns` gives each role its spellings, plain. A sheet has the shape if it has all roles of `needs` and one of
    `marks`, the columns that no other tool has; a file named after one of `stems` needs no mark. A sheet with a
    column of `not_with` has another shape. A shape that is not `is_read` is known to be of no use: payments, say.
    Sheets of a shape that `adds_up` are parts of one list, such as the events of each month; of any other the best
    is taken.
    """

    source: str
    name: str
    columns: Mapping[str, tuple[str, ...]]
    needs: tuple[str, ...]
    marks: tuple[str, ...] = ()
    stems: tuple[str, ...] = ()
    not_with: tuple[str, ...] = ()
    is_read: bool = True
    adds_up: bool = False


@dataclass(frozen=True)
class Match:
    """A sheet that has a shape: its columns by role."""

    shape: Shape
    sheet: Sheet
    columns: Mapping[str, str]
    score: int

    @property
    def is_sure(self) -> bool:
        """Whether more than the name of the table speaks for the tool."""
        return self.shape.source in self.sheet.name.lower() or any(mark in self.columns for mark in self.shape.marks)

    @property
    def unrecognised(self) -> tuple[str, ...]:
        """Columns of the sheet that have no role."""
        used = set(self.columns.values())
        return tuple(column for column in self.sheet.types if column not in used)


def spelled(text: str) -> dict[str, tuple[str, ...]]:
    """Roles with their spellings, a role a line: `role: spelling spelling`, or the role alone where it is its own."""
    lines = [line.partition(":") for line in text.strip().splitlines()]
    names = {role.strip(): (role.strip(), *other.split()) for role, _, other in lines if role.strip()}
    return {role: tuple(spelling.strip("_") for spelling in spellings) for role, spellings in names.items()}


def match(shape: Shape, sheet: Sheet) -> Match | None:
    """The sheet as one of this shape, if it is one."""
    spellings = sheet.spelled
    columns = {
        role: spellings[spelling]
        for role, names in reversed(list(shape.columns.items()))
        for spelling in reversed(names)
        if spelling in spellings
    }
    marks = sum(mark in columns for mark in shape.marks)
    after = _named_after(sheet, shape)
    if not all(need in columns for need in shape.needs) or not (marks or after):
        return None
    if any(name in spellings for name in shape.not_with):
        return None
    return Match(shape, sheet, columns, len(columns) + DISTINCT * marks + NAMED_AFTER * after)


def _named_after(sheet: Sheet, shape: Shape) -> int:
    """How well the sheet's name fits: after the table, and after the tool."""
    name = sheet.name.lower().replace("-", "_")
    return any(stem in sheet.stem for stem in shape.stems) * (1 + (shape.source in name))


def matches(sheets: Iterable[Sheet], shapes: Sequence[Shape]) -> tuple[Match, ...]:
    """Each sheet as the shape that fits best, where one does; of several sheets of a shape the best.

    A sheet that only its name speaks for is one of a tool that others show to be there.
    """
    candidates = [[fit for shape in shapes if (fit := match(shape, sheet)) is not None] for sheet in sheets]
    tools = {fit.shape.source for fits in candidates for fit in fits if fit.is_sure}
    best: dict[tuple[str, str], Match] = {}
    for fits in candidates:
        choice = max((fit for fit in fits if fit.shape.source in tools), key=lambda fit: fit.score, default=None)
        if choice is None:
            continue
        place = (choice.shape.source, choice.shape.name)
        if place in best and choice.shape.adds_up:
            best[place] = _together(best[place], choice)
        elif place not in best or best[place].score < choice.score:
            best[place] = choice
    return tuple(best.values())


def _together(one: Match, other: Match) -> Match:
    """Two sheets of one list as one, without the rows that both hold; they have the columns of the first."""
    if not {*one.sheet.types} <= {*other.sheet.types}:
        return one
    columns = ", ".join(map(named, one.sheet.types))
    rows = f"SELECT {columns} FROM {other.sheet.relation}"
    before = one.sheet.relation[1:-1] if one.sheet.others else f"SELECT {columns} FROM {one.sheet.relation}"
    others, count = (*one.sheet.others, other.sheet.name), one.sheet.rows + other.sheet.rows
    sheet = replace(one.sheet, relation=f"({before}\n      UNION {rows})", rows=count, others=others)
    return replace(one, sheet=sheet)


def second_copies(sheets: Iterable[Sheet], chosen: Sequence[Match]) -> dict[str, str]:
    """Sheets of a shape that another sheet has already, each with that one's name."""
    read = {name for one in chosen for name in one.sheet.names}
    return {
        sheet.name: one.sheet.name
        for sheet in sheets
        for one in chosen
        if sheet.name not in read and (second := match(one.shape, sheet)) is not None and second.is_sure
    }
