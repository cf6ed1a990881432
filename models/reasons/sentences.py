"""Reasons in words: the value of an input, what it is held against, and what it does to the probability."""

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from models.hazards.horizon import CALENDAR_INPUTS
from models.hazards.model_inputs import Input
from models.outcomes.facts import UNDER_NOTICE
from models.outcomes.prediction import Outcome
from models.words import counted, format_value, of_one

TYPICAL = "typical of its peers"
_CALENDAR = frozenset(item.name for item in CALENDAR_INPUTS)
_SUBJECT = {"churn": "churn risk", "contraction": "the risk of contraction", "expansion": "the chance of expansion"}
_SMALLEST_SHOWN = 0.05  # probability points
_OF_OTHERS = " of the other accounts"


def direction(outcome: Outcome, effect: float) -> str:
    """What an effect does to the probability, in points."""
    points = 100 * abs(effect)
    size = "less than 0.1" if points < _SMALLEST_SHOWN else f"{points:.1f}"
    return f"{'Raises' if effect > 0 else 'Lowers'} {_SUBJECT[outcome]} by {size} points"


def against_the_rule(way: float) -> str:
    """What is said where an input acts against its usual way: +1 = more of it raises the probability."""
    return f"unusual: more of it mostly {'raises' if way > 0 else 'lowers'} it"


def words_of(
    item: Input, frame: pd.DataFrame, rows: list[int], currency: str, notes: Sequence[tuple[str, ...]]
) -> list[tuple[str, str]]:
    """Of some rows: the value of an input, and the words that say it with what it is held against."""
    if item.name in _CALENDAR:
        columns = (frame[name].iloc[rows] for name in ("as_of", "term_ends_on", UNDER_NOTICE, "presigned"))
        return [_renewal(*account) for account in zip(*columns, strict=True)]
    values = frame[item.name].iloc[rows]
    return [_sentence(item, value, currency, beside) for value, beside in zip(values, notes, strict=True)]


def _sentence(item: Input, value: Any, currency: str, notes: tuple[str, ...]) -> tuple[str, str]:
    """A value, and the sentence that says it with notes in brackets."""
    if pd.isna(value):
        what, why = re.split("[;:]", item.meaning)[0], re.search("missing if ([^;:]+)", item.meaning)
        return "", _noted(f"not known: {_uncapitalised(what)}", (why[1], *notes) if why else notes)
    text = str(value) if item.kind == "category" else format_value(float(value), item.unit, currency)
    before, slot, after = item.sentence.partition("{value}")
    share = text if slot else ""
    if before.endswith("than ") and after.startswith(_OF_OTHERS):
        before, share, after = _among_others(before, text, float(value), after.removeprefix(_OF_OTHERS))
    return text, _noted(before + share + (of_one(after) if share in ("1", "-1") else after), notes)


def _among_others(before: str, percent: str, share: float, after: str) -> tuple[str, str, str]:
    """The parts of `more than {share} of the other accounts`, in words where the share is all or nothing."""
    if percent == "100%":
        return before, "all" if share == 1 else "nearly all", f" other accounts{after}"
    if percent == "0%":
        if share == 0:
            return before.replace("more", "no more", 1), "any", f" other account{after}"
        return before, "very few", f" other accounts{after}"
    return before, percent, _OF_OTHERS + after


def _noted(text: str, notes: tuple[str, ...]) -> str:
    return f"{text} ({'; '.join(notes)})" if notes else text


def _renewal(as_of: pd.Timestamp, ends: pd.Timestamp, under_notice: float, presigned: float) -> tuple[str, str]:
    """Where the account stands on its renewal calendar, whichever month ahead matters."""
    if pd.isna(ends):
        return "evergreen", "the contract has no end date"
    days = (ends - as_of).days
    when = f"the term ends in {counted(days, 'day')}, on {ends:%Y-%m-%d}"
    if days < 0:
        when = f"the renewal is {counted(-days, 'day')} overdue, since {ends:%Y-%m-%d}"
    clauses = []
    if under_notice > 0:
        part = f" on {format_value(under_notice, 'share')} of ARR" if under_notice < 1 else ""
        clauses.append(f"notice was given{part}")
    if presigned == 1:
        clauses.append("the next renewal is signed")
    return f"{ends:%Y-%m-%d}", " and ".join([", ".join(clauses), when] if clauses else [when])


def _uncapitalised(text: str) -> str:
    """The first letter small, unless an abbreviation such as NPS begins the text."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
