"""Queries of the settings: the pieces of SQL that they name, and that each column has a name of its own."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

import duckdb

from features.inputs.files.source_reader import require_one_select
from features.inputs.files.suggestions import listed, near
from features.tables.problems import CannotOpen, Finding

PART = re.compile(r"\{(\w+)\}")
PATH = "path"  # {path} stands for the source's path
_PLAIN = re.compile(  # files, texts, quoted names, comments
    r"""\{file:[^}]*\}|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/""", re.DOTALL
)


def with_parts(query: str, parts: Mapping[str, str]) -> str:
    """The query with each `{part}` in place, those that parts name among them."""
    for _ in parts:
        text = PART.sub(lambda match: f"({parts[match[1]]})" if match[1] in parts else match[0], query)
        if text == query:
            break
        query = text
    return query


def parts_of(query: str, parts: Mapping[str, str]) -> list[str]:
    """The parts that a query names, and those that these name.

    Raises
    ------
    CannotOpen
        There is no such part, or parts name each other in a circle.
    """
    sound: dict[str, None] = {}
    for name in _names(query):
        _follow(name, (), "its query", parts, sound)
    return list(sound)


def _names(query: str) -> list[str]:
    """What stands in braces outside of texts, quoted names and comments, but for numbers and the path."""
    names = PART.findall(_PLAIN.sub(" ", query))
    return [name for name in dict.fromkeys(names) if name != PATH and not name[0].isdigit()]


def _follow(name: str, above: tuple[str, ...], place: str, parts: Mapping[str, str], sound: dict[str, None]) -> None:
    """Add a part to those that are `sound`, after those that it names."""
    if name in above:
        circle = " -> ".join([*above[above.index(name) :], name])
        todo = "Let one of them name a file or a table instead."
        raise CannotOpen(Finding("source.parts", f"name each other in a circle: {circle}", todo))
    if name in sound:
        return
    if name not in parts:
        raise CannotOpen(_no_part(name, place, list(parts)))
    for other in _names(parts[name]):
        _follow(other, (*above, name), f"source.parts.{name}", parts, sound)
    sound[name] = None


def _no_part(name: str, place: str, names: list[str]) -> Finding:
    there = f"The parts are {listed(names)}.{near(name, names)}" if names else "There are none."
    todo = f"{there} A file is written {{file:NAME.csv}}."
    return Finding("source.parts", f"has no part {name}, which {place} names", todo)


def require_columns_once(connection: duckdb.DuckDBPyConnection, place: str, query: str) -> None:
    """Raise if a query gives a column more than once: DuckDB would take the first of them without a word."""
    if repeated := list(_repeated(connection, query)):
        what = f"gives the column {', '.join(repeated)} more than once"
        name = repeated[0]
        todo = f"Name each column once: SELECT * REPLACE (... AS {name}), or SELECT * EXCLUDE ({name}), ... AS {name}."
        raise CannotOpen(Finding(place, what, todo))


def _repeated(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[str]:
    """The names, in whatever case, that come more than once; none of what is no query by itself."""
    described = f"DESCRIBE ({query}\n)"
    try:
        require_one_select(connection, query)
        require_one_select(connection, described)
        names = [str(row[0]) for row in connection.execute(described).fetchall()]
    except duckdb.Error:  # said when it is run
        return
    counts = Counter(name.lower() for name in names)
    yield from dict.fromkeys(name for name in names if counts.pop(name.lower(), 1) > 1)
