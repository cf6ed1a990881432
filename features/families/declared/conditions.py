"""Conditions of the settings over features, as SQL: a feature of the snapshot, or the use of a part of the product."""

import difflib
from collections.abc import Iterator, Mapping

from features.families.feature import Feature
from features.families.kinds import Value, value
from features.families.own import own_features
from features.tables.checked import Tables
from params import OwnFeature
from params_team import Term, terms_of

MEASURES = {"users": ("distinct", "user_id"), "uses": ("count", None), "days": ("days", None)}


def condition_value(condition: str, features: Mapping[str, Feature], tables: Tables) -> Value:
    """1 where a condition holds; else, and where a feature is missing, 0. All its terms must be known."""
    values = [_term_value(term, features, tables) for term in terms_of(condition)]
    signs = " AND ".join(f"{{}} {term.sign} {_number(term.number)}" for term in terms_of(condition))
    return value(f"CASE WHEN {signs} THEN 1 ELSE 0 END", *values)


def condition_problems(condition: str, features: Mapping[str, Feature]) -> Iterator[str]:
    """What a condition names that there is not, or that cannot be compared with a number."""
    for term in terms_of(condition):
        if term.measure is not None:
            continue
        feature = features.get(term.name)
        if feature is None:
            near = difflib.get_close_matches(term.name, features, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; the use of a part of the product is PART.users"
            yield f"{condition!r}: there is no feature {term.name}{hint}"
        elif feature.kind == "category" or feature.value.peers:
            what = "holds text" if feature.kind == "category" else "is a rank among other accounts"
            yield f"{condition!r}: {term.name} {what}, which no condition can be of"
        elif not _can_hold(term, feature):
            low, high = feature.possible
            yield f"{condition!r} can never hold: {term.name} lies between {low:g} and {high:g}"


def _can_hold(term: Term, feature: Feature) -> bool:
    low, high = feature.possible
    return {
        ">=": high >= term.number,
        ">": high > term.number,
        "<=": low <= term.number,
        "<": low < term.number,
        "=": low <= term.number <= high,
    }[term.sign]


def _term_value(term: Term, features: Mapping[str, Feature], tables: Tables) -> Value:
    return features[term.name].value if term.measure is None else _use_of(term, tables)


def uses_in(condition: str) -> Iterator[OwnFeature]:
    """The uses of parts of the product that a condition counts."""
    return (_counted(term) for term in terms_of(condition) if term.measure is not None)


def _use_of(term: Term, tables: Tables) -> Value:
    (feature,) = own_features({f"use_of_{term.name}": _counted(term)}, tables)
    return feature.value


def _counted(term: Term) -> OwnFeature:
    """The use of a part of the product, as a feature of the settings would count it."""
    measure, column = MEASURES[str(term.measure)]
    return OwnFeature.model_validate(
        {"table": "usage", "measure": measure, "column": column, "filter": {"feature": term.name}, "window": term.days}
    )


def _number(number: float) -> str:
    return f"{number:f}".rstrip("0").rstrip(".")
