"""Schemas of rows, made of the declarations of their columns: types, limits, units and meanings."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from serving.forecast.declared.column import Kind, OutColumn, Place

_TYPES: dict[Kind, Any] = {
    Kind.TEXT: str,
    Kind.INTEGER: int,
    Kind.MONEY: float,
    Kind.SHARE: float,
    Kind.NUMBER: float,
    Kind.DATE: date,
    Kind.TIME: str,
}
_PROBABILITY = Annotated[float, Field(ge=0, le=1)]


def row_model(
    name: str, meaning: str, columns: Iterable[OutColumn], bases: Sequence[type[BaseModel]] = (BaseModel,), **more: Any
) -> Any:
    """The schema of a row.

    Parameters
    ----------
    columns
        What it holds: of these, the columns of the API.
    bases
        Schemas whose fields it holds too.
    more
        Types of further fields, by name; with a `Field`, in a pair.
    """
    fields: dict[str, Any] = {column.name: _field(column) for column in columns if Place.API in column.places}
    fields |= {field: wanted if isinstance(wanted, tuple) else (wanted, ...) for field, wanted in more.items()}
    return create_model(name, __doc__=meaning, __base__=tuple(bases), __module__=__name__, **fields)


def one_of(values: Iterable[str]) -> Any:
    """The type of a text that is one of these."""
    return Literal.__getitem__(tuple(values))


def _field(column: OutColumn) -> tuple[Any, Any]:
    kind = _PROBABILITY if column.unit == "probability" and column.kind is Kind.SHARE else _TYPES[column.kind]
    if column.values:
        kind = one_of(column.values)
    return (kind | None if column.optional else kind), Field(description=column.description)
