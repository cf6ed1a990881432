"""Labels to cut a portfolio by: what the columns of `accounts` said of each account at a date."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.asof.view import AsOf
from features.revenue.known_lines import load
from features.revenue.number_ranges import as_text, in_ranges, range_start
from features.tables.checked import Tables
from features.tables.sql import named
from params import Budget, Forecast

NO_LABEL = "(none)"
ROLES = ("csm", "seller")  # columns of `accounts` that say whose book an account is in
GRACE_DAYS = 90  # an account counts for whoever has it once they have had it so long


def labels_in_force(
    tables: Tables, as_of: date, cuts: Sequence[str], budget: Budget, ranges: Forecast | None = None
) -> pd.DataFrame:
    """Labels of every account known at `as_of`, customer or not: index `account_id`, a column a cut.

    With `ranges`, numbers are labelled by the range they lie in, told from the accounts known at `as_of` alone.
    """
    asof = AsOf(tables, (as_of,))

    def make(connection: duckdb.DuckDBPyConnection) -> Sequence[str]:
        load(connection, asof.frames())
        connection.execute(f"CREATE OR REPLACE TEMP TABLE attributes AS {asof.attributes()}")
        return ("attributes",)

    columns = ", ".join(named(name) for name in ("account_id", *dict.fromkeys(cuts)))
    with tables.at(as_of).prepared(("attributes", as_of), make, budget=budget) as connection:
        attributes = connection.execute(f"SELECT {columns} FROM attributes ORDER BY account_id").df()
    labels = attributes.set_index("account_id")[list(cuts)]
    if ranges is not None:
        edges = ranges.cut_edges
        labels = labels.apply(lambda cut: in_ranges(cut, bins=ranges.cut_bins, edges=edges.get(str(cut.name))))
    labels = labels.apply(as_text)
    return labels.astype("object").where(labels.notna(), NO_LABEL).astype("str")


def owners_in_force(tables: Tables, as_of: date, budget: Budget) -> pd.DataFrame:
    """Whose book each account is in: index `account_id`, a column for each of `ROLES` that `accounts` has.

    An account that changed hands within `GRACE_DAYS` before is nobody's, `NO_LABEL`: what it does soon after is the
    work of whoever had it. One that was not known then is its owner's from the first day.
    """
    roles, _ = usable_cuts(tables, ROLES)
    now = labels_in_force(tables, as_of, roles, budget)
    before = labels_in_force(tables, as_of - timedelta(days=GRACE_DAYS), roles, budget).reindex(now.index)
    return now.where(before.isna() | (before == now), NO_LABEL)


def account_names(tables: Tables, as_of: date, budget: Budget) -> dict[str, str]:
    """The name in force of every account known at `as_of`, by id; the id where there is none."""
    labels = labels_in_force(tables, as_of, ["name"] if tables.has("accounts", "name") else [], budget)
    ids = labels.index.to_series()
    names = labels["name"] if "name" in labels.columns else ids
    return dict(zip(ids, names.where(names != NO_LABEL, ids), strict=True))


def usable_cuts(tables: Tables, cuts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The cuts that are columns of `accounts`, and a note for those that are not."""
    present = tuple(cut for cut in cuts if tables.has("accounts", cut))
    absent = [cut for cut in cuts if cut not in present]
    if not absent:
        return present, ()
    return present, (f"No cut by {', '.join(absent)}: accounts has no such column.",)


def group_labels(labels: pd.DataFrame, account_ids: "pd.Series[str]") -> Mapping[str, NDArray[np.object_]]:
    """Each cut's label of each account, in the order given."""
    labels_by_row = labels.reindex(account_ids).fillna(NO_LABEL)
    return {str(cut): labels_by_row[cut].to_numpy(dtype=object) for cut in labels_by_row.columns}


def in_order(labels: Collection[str]) -> list[str]:
    """Labels sorted: ranges and numbers by where they begin, if all are such, else as texts; `(none)` comes last."""
    texts = sorted({label for label in labels if label != NO_LABEL})
    starts = {text: range_start(text) for text in texts}
    if None not in starts.values():
        texts.sort(key=lambda text: starts[text] or 0.0)
    return texts + [NO_LABEL] * (NO_LABEL in labels)
