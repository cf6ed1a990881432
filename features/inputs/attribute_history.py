"""Attributes without a history: at a past date they are taken as they are today, which can give the future away."""

from collections.abc import Mapping, Sequence

import duckdb

from features.families.catalogue import FEATURES
from features.families.own_checks import completed
from features.tables.checked import Tables
from features.tables.problems import Finding
from params import OwnFeature

TODO = (
    "One that is changed after the fact, such as a fit re-rated once a customer struggles, leaks the future into "
    "training: give its history with valid_from, or leave it out (snapshots.drop, forecast.cuts)."
)


def without_history(
    connection: duckdb.DuckDBPyConnection,
    tables: Tables,
    *,
    drop: Sequence[str],
    own: Mapping[str, OwnFeature],
    cuts: Sequence[str],
) -> list[Finding]:
    """The warning, said once, of features and cuts among the columns of `accounts` that have no history.

    Parameters
    ----------
    drop
        Features that the settings leave out.
    own
        Features that the settings declare.
    cuts
        The settings' cuts.
    """
    needed = {need for feature in FEATURES if feature.name not in drop for need in feature.needs}
    declared = [completed(name, setting) for name, setting in own.items() if name not in drop]
    used = {*cuts, *(feature.column for feature in declared if feature.table == "accounts")}
    names = [name for name in tables.columns["accounts"] if f"accounts.{name}" in needed or name in used]
    if not names or _has_history(connection, tables):
        return []
    what = f"is absent or empty, so every past date sees today's {', '.join(names)}"
    return [Finding("accounts", what, TODO, "valid_from", rule="attributes_without_history")]


def _has_history(connection: duckdb.DuckDBPyConnection, tables: Tables) -> bool:
    for column in ("valid_from", "recorded_at"):
        if tables.has("accounts", column):
            row = connection.execute(f"SELECT count({column}) > 0 FROM accounts").fetchone()
            if row and row[0]:
                return True
    return False
