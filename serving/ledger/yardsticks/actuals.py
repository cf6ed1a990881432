"""What came of each official forecast: put on record once it is known, and again where the data say otherwise later.

By the code that `holdfast nrr` goes by and the rules of the forecast, of the accounts that the forecast was about, by
the labels that they had then.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from features.revenue.known_lines import lines_known
from features.revenue.retention import retention_of_lines
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from params import Params
from serving.ledger import whole_numbers
from serving.ledger.chain.entries import ACTUALS, append, next_number
from serving.ledger.chain.head import note_head
from serving.ledger.record import Record
from serving.ledger.record_files import BrokenFile
from serving.ledger.record_tables import ACTUAL, FIGURE, OUTCOME
from serving.ledger.subjects import ACCOUNT, names_of
from serving.ledger.yardsticks.actual_rows import Cohort, actual_rows
from serving.ledger.yardsticks.windows import Window, windows


@dataclass(frozen=True)
class _Edition:
    """An edition before it is added."""

    outcome: dict[str, Any]
    actuals: list[dict[str, Any]]


def record_actuals(record: Record, tables: Tables, params: Params, progress: Progress = silent) -> int:
    """Put on record what is known by the end of the data and not there yet; gives how many windows.

    Windows of which an account was erased since are not restated: the data lack it, and what is on record has it.
    """
    due = [window for window in windows(record, tables, params) if _is_due(window, tables)]
    names = names_of(record, ACCOUNT) if due else {}
    editions: list[_Edition] = []
    for done, (rolled, group) in enumerate(_groups(due, tables)):
        progress("looking up what came of earlier forecasts", done, len(due))
        with lines_known(rolled, known_by=group[0].known_by, rules=group[0].rules, budget=params.budget) as connection:
            editions += [
                edition
                for window in group
                if (edition := _edition(record, connection, rolled, window, names)) is not None
            ]
    return _add(record, editions, tables.digest) if editions else 0


def _is_due(window: Window, tables: Tables) -> bool:
    if window.first_known_on > tables.data_until:
        return False
    if window.recorded is None:
        return True
    return bool(
        tables.data_until.isoformat() > window.recorded.known_on and tables.digest != window.recorded.data_digest
    )


def _groups(due: Sequence[Window], tables: Tables) -> Iterator[tuple[Tables, list[Window]]]:
    """Windows that are worked out of the same lines."""
    groups: dict[tuple[str, date, str], list[Window]] = defaultdict(list)
    for window in due:
        groups[window.rules.model_dump_json(), window.known_by, tables.at(window.start).database.name].append(window)
    for group in groups.values():
        yield tables.at(group[0].start), group


def _edition(
    record: Record,
    connection: duckdb.DuckDBPyConnection,
    tables: Tables,
    window: Window,
    names: Mapping[bytes, str],
) -> _Edition | None:
    """What came of a window; None where the same is on record, or the forecast's accounts are not known any more."""
    try:
        cohort = _cohort(record, window)
    except BrokenFile:
        return None
    accounts = [names.get(subject) for subject in cohort.subjects]
    if window.recorded and None in accounts:
        return None
    rules = window.rules
    came = retention_of_lines(connection, tables, start=window.start, end=window.end, rules=rules)
    came = came.set_index("account_id").reindex(accounts)
    table = _account_rows(cohort, came)
    digest = record.files.add_table(table)
    if window.recorded and window.recorded.account_rows == digest:
        return None
    key = {
        "run_number": window.run.number,
        "horizon_months": window.horizon_months,
        "edition": window.edition,
    }
    outcome = {
        "known_on": window.known_by.isoformat(),
        "accounts": int(came["starting_arr"].notna().sum()),
        "account_rows": digest,
    }
    return _Edition(key | outcome, [key | row for row in actual_rows(table, cohort)])


def _cohort(record: Record, window: Window) -> Cohort:
    """The accounts of a forecast, in the order of their ids, with the labels that the archive has of them."""
    run, where = window.run, [("horizon_months", "==", window.horizon_months)]
    subjects = record.files.table(run.account_rows, ["subject_id"], where)["subject_id"].to_pylist()
    if run.archive is None:
        return Cohort(subjects, {})
    with record.reading() as connection:
        query = sa.select(FIGURE.c.cut).where(FIGURE.c.run_number == run.number).distinct()
        cuts = set(connection.execute(query).scalars())
    labels = record.files.table(record.files.manifest(run.archive)["tables"]["labels"])
    row = pd.Index(labels["account_id"].to_pylist()).get_indexer(subjects)
    known = [cut for cut in labels.column_names if cut in cuts]
    return Cohort(subjects, {cut: np.array(labels[cut].to_pylist(), dtype=object)[row] for cut in known})


def _account_rows(cohort: Cohort, came: pd.DataFrame) -> pa.Table:
    """A row an account of the forecast, empty where by now it had no ARR when the window began."""
    customer = came["customer"].astype("boolean")
    return pa.table(
        {
            "subject_id": pa.array(cohort.subjects, pa.binary(16)),
            "starting_arr": whole_numbers.whole(came["starting_arr"], whole_numbers.CENTS),
            "ending_arr": whole_numbers.whole(came["ending_arr"], whole_numbers.CENTS),
            "customer": pa.array([None if pd.isna(one) else int(one) for one in customer], pa.int64()),
        }
    )


def _add(record: Record, editions: Sequence[_Edition], data_digest: str) -> int:
    """Add editions that are not there yet, in one transaction with their entry in the chain."""
    added = 0
    with record.writing() as connection:
        entry = {"entry_number": next_number(connection)}
        for edition in editions:
            key = [OUTCOME.c[name] == edition.outcome[name] for name in ("run_number", "horizon_months", "edition")]
            if connection.execute(sa.select(OUTCOME.c.edition).where(*key)).first() is None:
                connection.execute(sa.insert(OUTCOME), [edition.outcome | entry | {"data_digest": data_digest}])
                if edition.actuals:
                    connection.execute(sa.insert(ACTUAL), [row | entry for row in edition.actuals])
                added += 1
        if added:
            append(connection, ACTUALS)
    note_head(record)
    return added
