"""Numbers as people write them: 1,234.56 or 1.234,56, told by the texts where they tell, and read in SQL."""

import re
from collections.abc import Iterable

from features.tables.sql import quoted

THOUSANDS = "[. '\u2019\u00a0\u202f]"
DECIMAL_COMMA = rf"[+-]?([0-9]{{1,3}}({THOUSANDS}[0-9]{{3}})+|[0-9]+)(,[0-9]+)?([eE][+-]?[0-9]+)?"
NUMBER = re.compile(rf"[+-]?[0-9](?:[0-9,]|{THOUSANDS})*([eE][+-]?[0-9]+)?")
_GROUPS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+")


def with_decimal_point(value: str) -> str:
    """SQL of a number as `1.234,56` is written, as DuckDB reads it; NULL where it is none."""
    return f"CASE WHEN regexp_full_match({value}, {quoted(DECIMAL_COMMA)}) THEN {comma_as_point(value)} END"


def comma_as_point(value: str) -> str:
    """SQL of a text as `1.234,56` is written as 1234.56, number or not."""
    return f"replace(regexp_replace({value}, {quoted(THOUSANDS)}, '', 'g'), ',', '.')"


def decimal_mark(text: str) -> str:
    """What a number's decimals are told by: `,` or `.`; `?` where 1,234 may be either; nothing where it has none."""
    comma, point = text.rfind(","), text.rfind(".")
    if comma >= 0 and point >= 0:
        return "," if comma > point else "."
    if text.count(".") > 1:
        return ","
    if point >= 0 or text.count(",") > 1:
        return "."
    return "" if comma < 0 else "?" if _GROUPS.fullmatch(text) else ","


def decimal_marks(texts: Iterable[str]) -> set[str]:
    """What the numbers of a column say of their decimals: see `decimal_mark`."""
    return {decimal_mark(text) for text in texts if NUMBER.fullmatch(text)} - {""}


def is_whole(text: str) -> bool:
    """Whether a number has no fraction: 2950, and 2950.0 as data frames write it."""
    return bool(re.fullmatch(r"[+-]?[0-9]+([.,]0)?", text))
