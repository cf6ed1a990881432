"""Facts about single customers and about all of them, as they are published: plain rows and plain data."""

from collections.abc import Iterator, Mapping, Sequence
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
