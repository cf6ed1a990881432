"""Facts about single customers and about all of them, as they are published: plain rows and plain data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.forecast.declared.column import Place, names_of
from serving.forecast.declared.customer_tables import CUSTOMER_LISTS

Row = Mapping[str, Any]


@dataclass(frozen=True)
class CustomerFacts:
    """Facts to be published.

    Attributes
    ----------
    lists
        Rows by the name of their table in `CUSTOMER_LISTS`; a list in a cell is published with commas.
    about
        What goes with each list, and what is of the whole company, by name; no row of it names an account.
    """

    lists: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    about: Mapping[str, Row] = field(default_factory=dict)


def stored_rows(facts: CustomerFacts, name: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a list as the store holds them."""
    columns = names_of(CUSTOMER_LISTS[name].at(Place.API))
    for place, row in enumerate(facts.lists.get(name, ())):
        yield (place, *(", ".join(row[c]) if isinstance(row[c], list) else row[c] for c in columns))


def sums_of_whitespace(
    rows_of: Callable[[str, Sequence[Any]], list[dict[str, Any]]], where: str, values: Sequence[Any]
) -> dict[str, Any]:
    """What the rows of whitespace come to that a condition lets through.

    Parameters
    ----------
    rows_of
        Answers a query of the store.
    where, values
        The condition in SQL, and the values of its marks.

    Returns
    -------
    dict
        `rows`, `accounts`, `worth` (ARR at the attach rates), of seats, which have no such rate, `seat_rows` and
        `seats` (ARR if all were bought), and `kinds`: what is not owned.
    """
    query = f"""SELECT COUNT(*) AS rows, COUNT(DISTINCT account_id) AS accounts, TOTAL(arr * attach_rate) AS worth,
                COALESCE(SUM(attach_rate IS NULL), 0) AS seat_rows,
                TOTAL(CASE WHEN attach_rate IS NULL THEN arr END) AS seats FROM whitespace {where}"""
    kinds = rows_of(f"SELECT DISTINCT what FROM whitespace {where} ORDER BY 1", values)
    return {**rows_of(query, values)[0], "kinds": [row["what"] for row in kinds]}
