"""What accounts are called, and what they are cut by: a column of theirs or a feature, as known when a cohort began."""

import difflib
from datetime import date

import pandas as pd

from features.revenue.cut_labels import NO_LABEL, labels_in_force
from features.revenue.number_ranges import in_ranges
from features.tables.checked import Tables
from features.tables.progress import Progress
from params import Params
from serving.forecast.refusals import BadRequest


def labels_between(
    tables: Tables, by: str, start: date, end: date, params: Params, progress: Progress
) -> "pd.Series[str]":
    """The label of every account, named by its cut: as known at the start or, of those that came later, at the end.

    Raises
    ------
    BadRequest
        There is no such column and no such feature.
    """
    if tables.has("accounts", by) and by != "account_id":
        then, later = (labels_in_force(tables, day, (by,), params.budget)[by] for day in (start, end))
        ranged = labels_in_force(tables, start, (by,), params.budget, params.forecast)[by]
        return (ranged.combine_first(later) if ranged.equals(then) else ranged).rename(by)
    from features.snapshots.snapshot_files import stored  # and what compiles SQL, which a column needs not

    snapshots = stored(tables, [start], params=params, progress=progress)
    features = [feature.name for feature in snapshots.features]
    alike = [name for name in features if name.endswith(f"_{by}")]
    if by not in features and len(alike) == 1:
        by = alike[0]
    if by not in features:
        columns = tables.attribute_columns
        close = alike or difflib.get_close_matches(by, [*columns, *features], n=1)
        hint = f" Did you mean {' or '.join(close[:5])}?" if close else ""
        raise BadRequest(
            f"--by {by}: accounts has no such column, and snapshots have no such feature. The columns are "
            f"{', '.join(columns)}; others of the source are kept if source.tables.accounts.extra names them.{hint}"
        )
    values = snapshots.frame.set_index("account_id")[by].rename(by)
    if pd.api.types.is_numeric_dtype(values):
        values = in_ranges(values, bins=params.forecast.cut_bins, edges=params.forecast.cut_edges.get(by))
    return values.astype("object").where(values.notna(), NO_LABEL).astype(str)


def given_names(tables: Tables, end: date, params: Params) -> dict[str, str]:
    """The accounts that have a name."""
    if not tables.has("accounts", "name"):
        return {}
    names = labels_in_force(tables, end, ("name",), params.budget)["name"]
    return {str(account): name for account, name in names[names != NO_LABEL].items()}
