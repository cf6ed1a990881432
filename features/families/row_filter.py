"""Which rows a feature of the settings counts: conditions on single cells, as SQL that every engine reads alike.

Words are compared as codes, whatever their case and spaces, and ids as they are. A column that the engine shows as a
whole number has its words beside it, see `features.tables.checked.text_of`.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from features.tables.checked import Tables, text_of
from features.tables.contract import Column, Type
from features.tables.sql import code, code_of, plain, quoted
from params import Condition

NUMBERS = (Type.NUMBER, Type.INTEGER, Type.MONEY)
COMPARED = {"above": ">", "at_least": ">=", "below": "<", "at_most": "<="}
Filter = Mapping[str, Condition]
Word = bool | int | float | str


def filter_sql(rows_of: str, conditions: Filter, tables: Tables) -> Iterator[str]:
    """SQL of each condition on a row of a table."""
    for name, condition in conditions.items():
        column = tables.column(rows_of, name)
        cell = cell_of(column)
        if condition.any_of is not None:
            yield f"{cell} IN ({_literals(column, condition.any_of)})"
        if condition.other_than is not None:
            yield f"({cell} IS NULL OR {cell} NOT IN ({_literals(column, condition.other_than)}))"
        for sign, number in comparisons(condition):
            yield f"{cell} {sign} {_number(number)}"


def filter_words(conditions: Filter) -> str:
    """The conditions in words."""
    return " and ".join(words for name, condition in conditions.items() for words in _in_words(name, condition))


def filter_problems(name: str, condition: Condition, column: Column) -> Iterator[str]:
    """What a condition asks of a column that it cannot hold."""
    words = (*(condition.any_of or ()), *(condition.other_than or ()))
    if column.type in NUMBERS:
        wrong = [word for word in words if isinstance(word, str)]
        if wrong:
            yield f"{wrong[0]!r} is no number, and {name} holds numbers"
    elif comparisons(condition):
        yield f"{name} holds text, which is no more and no less than a number"
    for word in words if column.allowed else ():
        spelled = code_of(_text(word))
        if spelled not in column.allowed:
            near = difflib.get_close_matches(spelled, column.allowed, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{name} is never {word!r}: it is one of {', '.join(column.allowed)}{hint}"


def comparisons(condition: Condition) -> Sequence[tuple[str, float]]:
    """What the cell is compared with, as signs and numbers."""
    limits = ((sign, getattr(condition, name)) for name, sign in COMPARED.items())
    return [(sign, limit) for sign, limit in limits if limit is not None]


def cell_of(column: Column) -> str:
    """SQL of what a cell says: a number or an id as it is, words as a code."""
    cell = text_of(column.name) if column.keyed else plain(column.name)
    return code(cell) if column.type is Type.TEXT else cell


def _literals(column: Column, words: Sequence[Word]) -> str:
    """The same of words that stand in the settings."""
    if column.type in NUMBERS:
        return ", ".join(map(_number, words))
    texts = [quoted(_text(word)) for word in words]
    return ", ".join(map(code, texts) if column.type is Type.TEXT else texts)


def _in_words(name: str, condition: Condition) -> Iterator[str]:
    if condition.any_of is not None:
        yield f"{name} is {' or '.join(map(_text, condition.any_of))}"
    if condition.other_than is not None:
        yield f"{name} is not {' or '.join(map(_text, condition.other_than))}"
    for key in COMPARED:
        limit = getattr(condition, key)
        if limit is not None:
            yield f"{name} is {key.replace('_', ' ')} {_text(limit)}"


def _text(word: Word) -> str:
    """A word as a table writes it."""
    if isinstance(word, bool):
        return str(word).lower()
    return _number(word) if isinstance(word, int | float) else word


def _number(number: Word) -> str:
    """A number as SQL writes it: without an exponent, and whole ones without a point."""
    digits = Decimal(repr(float(number)))
    return f"{digits:f}".removesuffix(".0")
