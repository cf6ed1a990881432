"""Numbers in sentences: one day, two days."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

_AFTER_THE_NOUN = (
    "a",
    "ago",
    "at",
    "by",
    "for",
    "from",
    "in",
    "its",
    "of",
    "on",
    "out",
    "per",
    "since",
    "so",
    "the",
    "to",
)
_VERBS = {"are": "is", "were": "was", "connect": "connects"}


def counted(number: int, noun: str, plural: str = "") -> str:
    """A count with its noun: `1 day`, `2 days`, `1,234 accounts`; `plural` where an s at the end is not it."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def nothing_unusual(renews_on: str | None, as_of: str) -> str:
    """What is said of an account that nothing sets apart which somebody could act on: its date, as ISO text."""
    if renews_on is None:
        return "Nothing unusual; no end date"
    days = (date.fromisoformat(renews_on) - date.fromisoformat(as_of)).days
    when = f"renews in {counted(days, 'day')}" if days >= 0 else f"renewal {counted(-days, 'day')} overdue"
    return f"Nothing unusual; {when} ({renews_on})"


def months_ahead(months: Sequence[int]) -> str:
    """Horizons in words: `1 month ahead`, `3, 6 months ahead`."""
    return f"{', '.join(map(str, months))} {'month' if list(months) == [1] else 'months'} ahead"


def signed_percent(share: float) -> str:
    """A share with its sign, in whole percent: `+12%`, `-3%`, `0%`."""
    return f"{share:+.0%}" if round(share * 100) else "0%"


@lru_cache(maxsize=1 << 16)
def format_value(value: float, unit: str, currency: str = "") -> str:
    """A number as it reads in a sentence: shares in percent, money with its currency, flags as yes or no."""
    value += 0.0  # no negative zero
    if unit == "0/1":
        return "yes" if value else "no"
    if unit == "share":
        return f"{_rounded(100 * value)}%"
    if unit.startswith("money"):
        return f"{currency} {value:,.0f}".strip()
    return _rounded(value)


def of_one(rest: str) -> str:
    """What follows a value in a sentence, made to fit the value 1: ` tickets are open` -> ` ticket is open`.

    The nouns up to the first preposition lose their s, and the first verb agrees. ` times the ...` and ` times its ...`
    are factors and stay.
    """
    if rest.startswith((" times the ", " times its ")):
        return rest
    words = rest.split(" ")
    verb = next((place for place, word in enumerate(words) if word in _VERBS), len(words))
    end = next((place for place, word in enumerate(words) if word in _AFTER_THE_NOUN), len(words))
    one = [_singular(word) if place < min(end, verb) else word for place, word in enumerate(words)]
    for place in range(1, min(end, verb)):
        if words[place] == "and" and words[place - 1] != one[place - 1]:  # trainings and webinars: one of the two
            one[place] = "or"
    one[verb : verb + 1] = [_VERBS[word] for word in words[verb : verb + 1]]
    return " ".join(one)


def _singular(word: str) -> str:
    return word if word.endswith("ss") else word.removesuffix("s")


def _rounded(value: float) -> str:
    """About three digits: 1,234 and 12.3 and 0.45, without trailing zeros."""
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if decimals else text
    return "0" if text == "-0" else text
