"""Days and moments as exports write them: the form that a column has, and the SQL that reads it."""

import re
from collections.abc import Mapping, Sequence

FORMS = {
    "iso": r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?(Z| ?UTC|\+00:?00)?",
    "zoned": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?[+-]\d\d:?\d\d",
    "seconds": r"\d{9,10}(\.\d+)?",
    "milliseconds": r"\d{12,13}",
    "slashed": r"\d{1,2}/\d{1,2}/\d{4}( .*)?",
    "dashed": r"\d{1,2}-\d{1,2}-\d{4}( .*)?",
    "dotted": r"\d{1,2}\.\d{1,2}\.\d{4}( .*)?",
}
BOTH_WAYS = {"slashed": "/", "dashed": "-"}  # the order of day and month is not told by the form


def form_of(texts: Sequence[str]) -> str:
    """How a column writes its days: the form that all its values have; `other` where they have none in common."""
    form = next((name for name, form in FORMS.items() if all(re.fullmatch(form, text) for text in texts)), "other")
    return "zoned" if form == "other" and all(map(_is_iso, texts)) else form


def _is_iso(text: str) -> bool:
    return any(re.fullmatch(FORMS[form], text) for form in ("iso", "zoned"))


def moment(form: str, text: str, *, day_first: bool) -> str:
    """SQL of a text of a form as a moment in UTC.

    Parameters
    ----------
    day_first
        Whether 01/04/2024 is the first of April.
    """
    if form in BOTH_WAYS:
        mark = BOTH_WAYS[form]
        pattern = f"%d{mark}%m{mark}%Y" if day_first else f"%m{mark}%d{mark}%Y"
        return f"strptime(split_part({text}, ' ', 1), '{pattern}')"
    readers: Mapping[str, str] = {
        "seconds": f"make_timestamp(CAST(CAST({text} AS DOUBLE) * 1000000 AS BIGINT))",
        "milliseconds": f"make_timestamp(CAST({text} AS BIGINT) * 1000)",
        "zoned": f"(CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')",
        "dotted": f"strptime(split_part({text}, ' ', 1), '%d.%m.%Y')",
    }
    return readers.get(form, f"CAST({text} AS TIMESTAMP)")
