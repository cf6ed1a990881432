"""The second look of the check, at tables that passed: their revenue, and every trap in one list."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from features.tables.checked import Tables
from features.tables.problems import Finding, NoRate
from features.tables.progress import Progress, silent
from features.tables.whole_file import write_whole
from params import Params

FILE = "second_look.json"
SPOIL_TRAINING = (
    "survivors_only",
    "recorded_at_is_updated_at",
    "first_of_month_unsigned",
    "end_is_last_day",
    "mass_migration",
    "mass_exit",
)
VERSION = 2  # raised when the same tables would be seen in another way


@dataclass(frozen=True)
class SecondLook:
    """What the tables come to (None where it cannot be told), and what seems to be wrong with them."""

    revenue: Mapping[str, Any] | None
    warnings: tuple[Finding, ...]

    @property
    def spoiling_training(self) -> tuple[Finding, ...]:
        """Those that leave a model nothing, or the wrong things, to learn."""
        return tuple(warning for warning in self.warnings if warning.rule in SPOIL_TRAINING)


def second_look(tables: Tables, *, params: Params, progress: Progress = silent) -> SecondLook:
    """Look at the checked tables as a whole, or take what was seen of the same tables by the same settings.

    Parameters
    ----------
    tables
        The checked tables.
    params
        All settings; those of revenue and of the source decide.
    progress
        Told what is being done.
    """
    file, key = params.data_dir / FILE, _key(tables, params)
    kept = _kept(file, key)
    if kept is not None:
        return kept
    progress("adding up revenue and looking for traps")
    look = _look(tables, params)
    _keep(file, key, look)
    return look


def _look(tables: Tables, params: Params) -> SecondLook:
    from features.revenue.known_lines import lines_known  # heavy, and not needed where it is kept
    from features.traps.revenue_now import revenue_now

    until, notes, revenue = tables.data_until, [], None
    with lines_known(tables, known_by=until, rules=params.revenue, budget=params.budget) as connection:
        try:
            revenue = revenue_now(connection, tables, params).to_json()
        except NoRate as error:
            (lack,) = error.problems
            notes = [replace(lack, what=f"{lack.what}: revenue cannot be added up", rule="no_revenue_figures")]
        return SecondLook(revenue, (*notes, *_traps(connection, tables, params)))


def _traps(connection: duckdb.DuckDBPyConnection, tables: Tables, params: Params) -> Iterator[Finding]:
    from features.traps import spells

    spells.make_lines(connection)
    yield from _of_lines(connection, tables, params)
    yield from _of_other_tables(connection, tables)


def _of_lines(connection: duckdb.DuckDBPyConnection, tables: Tables, params: Params) -> Iterator[Finding]:
    """The traps of contracts."""
    from features.traps.amount_units import amount_units
    from features.traps.line_ends import last_day_covered, short_breaks
    from features.traps.mass_days import mass_days
    from features.traps.survivors import survivors
    from features.traps.trials import no_revenue
    from features.traps.when_known import unsigned_terms

    early = list(last_day_covered(connection, params))
    yield from early
    yield from mass_days(connection, tables)
    yield from short_breaks(connection, without_one_day=bool(early))
    yield from survivors(connection, tables, params)
    yield from unsigned_terms(connection, tables, params)
    yield from amount_units(connection, params)
    yield from no_revenue(connection)


def _of_other_tables(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Iterator[Finding]:
    """The traps of when rows became known, of events, and of ids."""
    from features.traps.unmatched_ids import unmatched_ids
    from features.traps.when_known import monthly_sums, updated_at

    yield from updated_at(connection, tables)
    yield from monthly_sums(connection, tables)
    yield from unmatched_ids(connection, tables)


def _key(tables: Tables, params: Params) -> str:
    """What the look depends on."""
    settings = [VERSION, tables.digest, tables.fingerprint, params.revenue.model_dump(mode="json")]
    settings += [params.snapshots.model_dump(mode="json"), params.source.model_dump(mode="json")["tables"]]
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _kept(file: Path, key: str) -> SecondLook | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["key"] != key:
            return None
        warnings = (Finding(**warning | {"examples": tuple(warning["examples"])}) for warning in content["warnings"])
        return SecondLook(content["revenue"], tuple(warnings))
    except (OSError, ValueError, KeyError, TypeError):  # not there, damaged, or of another version: looked at again
        return None


def _keep(file: Path, key: str, look: SecondLook) -> None:
    content = {"key": key, "revenue": look.revenue, "warnings": [asdict(warning) for warning in look.warnings]}
    write_whole(file, json.dumps(content).encode())
