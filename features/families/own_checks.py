"""What a declaration of a feature in the settings may say, and what is wrong with one that cannot be."""

import difflib
import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence

from features.families.feature import Family
from features.families.row_filter import NUMBERS, comparisons, filter_problems
from features.tables import contract
from features.tables.checked import Tables
from features.tables.contract import Type
from params import OwnFeature, SettingsError

FAMILY_OF: dict[str, Family] = {
    "usage": "usage",
    "csm_actions": "csm_actions",
    "goals": "csm_actions",
    "engagement": "engagement",
    "tickets": "engagement",
    "surveys": "engagement",
    "contacts": "engagement",
    "calls": "engagement",
    "accounts": "contract_history",
}
NO_EVENTS = {
    "contracts": "contract lines are no events, and what they say of the account is a feature already",
    "fx_rates": "rates are of no account",
    "churn_events": "it says who left, which is what is forecast",
}
NEED_COLUMN, MAY_HAVE_COLUMN = ("sum", "distinct", "attribute"), ("trend",)
KEYS_AND_MOMENTS = ("account_id", "recorded_at", "valid_from")
TIMES = (Type.DATE, Type.TS)
_DAYS_IN_NAME = re.compile(r"_\d+d$")


def measure_of(setting: OwnFeature) -> str:
    """What is measured: of an account its attribute, of rows how many there are, unless the setting says."""
    return setting.measure or ("attribute" if setting.table == "accounts" else "count")


def completed(name: str, setting: OwnFeature) -> OwnFeature:
    """The declaration with its column: that of an attribute has the feature's name, unless the setting says."""
    if measure_of(setting) == "attribute" and setting.column is None:
        return setting.model_copy(update={"column": name})
    return setting


def signal_of(name: str, setting: OwnFeature) -> str:
    """What the feature is a sign of: as the setting says, else its name without its days."""
    return setting.signal or _DAYS_IN_NAME.sub("", name).replace("_", " ")


def columns_read(setting: OwnFeature) -> tuple[str, ...]:
    """The columns that a declaration names."""
    return tuple(dict.fromkeys([*setting.filter, *([setting.column] if setting.column else [])]))


def numbers_read(setting: OwnFeature) -> tuple[str, ...]:
    """Those of them that must hold numbers: what is added up, and what is compared with a number."""
    compared = [name for name, condition in setting.filter.items() if comparisons(condition)]
    added = [setting.column] if setting.column and measure_of(setting) in ("sum", "trend") else []
    return tuple(dict.fromkeys([*compared, *added]))


def require_sound(settings: Mapping[str, OwnFeature]) -> None:
    """Hold declarations against the contract.

    Raises
    ------
    SettingsError
        A table or measure cannot be used so, or a column is known too late; all that is wrong is named at once.
    """
    _raise_all((name, problem) for name, setting in settings.items() for problem in _problems(name, setting))


def require_fitting(settings: Mapping[str, OwnFeature], tables: Tables) -> None:
    """Hold sound declarations against the columns that the tables have.

    Raises
    ------
    SettingsError
        A name is that of an attribute, or a column does not hold what is asked of it.
    """
    _raise_all((name, problem) for name, setting in settings.items() for problem in _misfits(name, setting, tables))


def _raise_all(problems: Iterable[tuple[str, str]]) -> None:
    lines = [f"  features.{name}: {problem}" for name, problem in problems]
    if lines:
        raise SettingsError("\n".join(["The settings cannot be used:", *lines]))


def _problems(name: str, setting: OwnFeature) -> Iterator[str]:
    if setting.table not in FAMILY_OF:
        why = NO_EVENTS.get(setting.table)
        what = f"none can be of {setting.table}: {why}" if why else f"there is no table {setting.table}"
        yield f"{what}.{'' if why else _near(setting.table, [*FAMILY_OF])} Give one of {', '.join(FAMILY_OF)}."
        return
    yield from _account_problems(setting) if setting.table == "accounts" else _event_problems(setting)
    for column in columns_read(completed(name, setting)):
        yield from _column_problems(setting.table, column)
    if setting.sentence is not None and not _holds_value_only(setting.sentence):
        yield f"its sentence must hold {{value}} once and nothing else in braces, got {setting.sentence!r}."


def _account_problems(setting: OwnFeature) -> Iterator[str]:
    if measure_of(setting) != "attribute":
        yield f"accounts has attributes and no rows to measure the {setting.measure} of: leave measure out."
    if setting.filter or setting.window:
        yield "an attribute is what it is at the snapshot: leave filter and window out."


def _event_problems(setting: OwnFeature) -> Iterator[str]:
    measure = measure_of(setting)
    if measure == "attribute":
        yield f"{setting.table} has rows and no attributes: give another measure."
        return
    if setting.window is None:
        yield "it needs a window: how many days it looks back."
    elif measure == "trend" and setting.window < 2:
        yield "a trend needs a window of two days at the least."
    if measure in NEED_COLUMN and setting.column is None:
        yield f"{measure} needs a column: of what."
    if setting.column is not None and measure not in (*NEED_COLUMN, *MAY_HAVE_COLUMN):
        yield f"{measure} takes no column: conditions stand in filter."
    if measure == "share" and not setting.filter:
        yield "a share needs a filter: which rows, of all those of the table."


def _column_problems(table: str, name: str) -> Iterator[str]:
    declared = {column.name: column for column in contract.TABLES[table]}.get(name)
    if name in KEYS_AND_MOMENTS:
        yield f"{table}.{name} says whose a row is or when it was known, which snapshots see to."
    elif declared and declared.filled_later:
        day = contract.TABLES[table].event_day
        yield (
            f"{table}.{name} is filled in later than the row's day ({day}), so that it would show the future: "
            "leave it out."
        )
    elif declared and declared.type in TIMES:
        yield f"{table}.{name} is a date: the window says when, and a filter cannot."


def _misfits(name: str, setting: OwnFeature, tables: Tables) -> Iterator[str]:
    setting = completed(name, setting)
    is_own_attribute = setting.table == "accounts" and setting.column == name
    if name in tables.columns["accounts"] and not is_own_attribute:
        yield f"accounts has a column {name}: give the feature another name."
    for column in numbers_read(setting):
        if tables.has(setting.table, column) and tables.column(setting.table, column).type not in NUMBERS:
            yield f"{setting.table}.{column} holds text, and a number is needed."
    for column, condition in setting.filter.items():
        if tables.has(setting.table, column):
            yield from filter_problems(column, condition, tables.column(setting.table, column))


def _holds_value_only(sentence: str) -> bool:
    try:
        places = [place for _, place, _, _ in string.Formatter().parse(sentence) if place is not None]
    except ValueError:
        return False
    return places == ["value"]


def _near(word: str, words: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1)
    return f" Did you mean {near[0]}?" if near else ""
