"""What is said of a table that DuckDB cannot read: of a query, the line and the place in it."""

import re

import duckdb

from features.inputs.files.source_reader import require_one_select
from features.tables.problems import Finding

LINE_ENDS = "state machine reached an invalid state"  # what DuckDB says where a line ends in another way than the first
_PLACE = re.compile(r"^LINE (\d+): ", re.MULTILINE)
_OUTSIDE = re.compile(r'Cannot access (?:file|directory) "(.*?)"')
_CROSSING = re.compile(
    r"^Invalid Input Error: (?:exporting a stream from|reading) the (?:object|stream) registered as '\w+' failed: "
    r"(?:\w+: )?"
)


def unreadable(
    table: str, error: duckdb.Error, query: str = "", connection: duckdb.DuckDBPyConnection | None = None
) -> Finding:
    """The finding for a table that cannot be read.

    Parameters
    ----------
    error
        What DuckDB said.
    query
        The query of the settings, if it is one.
    connection
        The source's own, on which the query runs.
    """
    if file := _OUTSIDE.search(str(error)):
        return outside_of_source(table, file[1])
    if query:
        todo = f"Correct source.tables.{table}.query; it is one SELECT in DuckDB's SQL.{_hint(error)}"
        detail = _place_in(connection, query) if connection is not None else ""
        return Finding(table, f"its query cannot be run: {first_line(error)}", todo, detail=detail)
    if LINE_ENDS in str(error):
        what, todo = "cannot be read: some of its lines end with LF, and some with CRLF", "Save it with one of the two."
        return Finding(table, what, todo)
    return Finding(table, f"cannot be read: {first_line(error)}", "Give Parquet or CSV files that can be read.")


def _hint(error: duckdb.Error) -> str:
    """What to write where a function has no use for text, which all columns of CSV files are in a query."""
    if "No function matches" not in str(error) or "VARCHAR" not in str(error):
        return ""
    return " Columns of CSV files are text there: write CAST(amount AS DOUBLE) for amount, CAST(day AS DATE) for day."


def outside_of_source(table: str, file: str) -> Finding:
    """The finding for a query or a view that reads what does not belong to the source."""
    todo = "Put it within source.path, or list it in source.outside."
    return Finding(table, f"reads {file}, which lies outside of the source", todo)


def first_line(error: Exception) -> str:
    """The first line of an error, as the connection said it that the SQL ran on."""
    return _CROSSING.sub("", str(error).strip().splitlines()[0]).rstrip(".")


def _place_in(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """The line of the query that is wrong, and below it where; empty where DuckDB does not say."""
    described = f"DESCRIBE\n{query}"  # so that lines are counted in the query alone
    try:
        require_one_select(connection, described)
        connection.execute(described)
    except duckdb.Error as error:
        text = str(error)
        if place := _PLACE.search(text):
            line, *below = text[place.end() :].splitlines()
            head = f"line {int(place[1]) - 1}: "
            moved = len(place[0]) - len(head)
            return "\n".join([head + line, *(mark[moved:] for mark in below[:1])])
    return ""
