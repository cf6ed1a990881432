"""Tables that stay in a warehouse: found, typed as the contract says, and counted where they are.

Accounts, contracts and rates come through the ordinary check (`features.inputs.load`), since the revenue arithmetic
needs them here. Of every other table only counts, the first and last day and a digest leave the warehouse. Its columns
must have the right kind of type there; a query in `source.tables` can give it.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import duckdb

from features.engines import dialects
from features.engines.chosen import warehouse_engine
from features.engines.engine import WarehouseEngine
from features.inputs.check_report import CheckReport, TableReport
from features.inputs.checks.rules import LARGEST
from features.inputs.files.locate import Opened
from features.inputs.reading.columns import Mapped, extended, map_columns, null_spellings
from features.inputs.reading.own_columns import Wanted
from features.inputs.staged import BROUGHT
from features.tables import contract
from features.tables.checked import Tables, Warehouse
from features.tables.contract import Column, Table, Type
from features.tables.problems import BadInput, Finding
from features.tables.progress import Progress
from features.tables.sql import named, plain, quoted
from params import Params, Source, TableSource

HAPPENED = ("usage", "csm_actions", "engagement", "tickets", "surveys")  # what tells where the data end
PLACE = "here_"  # stands before a table's name until the place where it lies is filled in
TIMES = {"date", "time", "zoned"}
NUMBERS = {"integer", "decimal", "float"}
FITS = {
    Type.ID: {"text", "integer", "decimal"}, Type.TEXT: {"text", "integer", "decimal", "bool"}, Type.DATE: TIMES,
    Type.TS: TIMES, Type.MONEY: NUMBERS, Type.NUMBER: NUMBERS, Type.INTEGER: {"integer"}, Type.BOOL: {"bool"},
}  # fmt: skip
KINDS = {
    "text": "text", "varchar": "text", "bpchar": "text", "char": "text", "uuid": "text", "string": "text",
    "date": "date", "timestamptz": "zoned", "timestamp_ntz": "time", "bool": "bool", "boolean": "bool",
    "int2": "integer", "int4": "integer", "int8": "integer", "tinyint": "integer", "smallint": "integer",
    "int": "integer", "bigint": "integer", "numeric": "decimal", "decimal": "decimal", "float4": "float",
    "float8": "float", "float": "float", "double": "float",
}  # fmt: skip
DIGESTS = {
    "postgres": "SELECT COUNT(*) AS n, "
    "CAST(SUM(CAST(hashtextextended(CAST(t AS TEXT), 0) AS NUMERIC)) AS TEXT) AS hashes FROM ({select}) t",
    "spark": "SELECT COUNT(*) AS n, CAST(SUM(CAST(xxhash64({texts}) AS DECIMAL(38, 0))) AS STRING) AS hashes "
    "FROM ({select}) t",
}


@dataclass(frozen=True)
class Remote:
    """A table that stays where it is: the SELECT that types it there, and what was counted in it."""

    table: Table
    columns: tuple[str, ...]
    select: str
    rows: int
    left_out: int
    first_day: date | None
    last_day: date | None
    newest_day: date | None
    digest: str
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def extra(self) -> tuple[str, ...]:
        """The columns that the contract does not declare."""
        return tuple(name for name in self.columns if name not in contract.TABLES[self.table.name].names)

    @property
    def extra_numbers(self) -> tuple[str, ...]:
        """Those of them that hold numbers."""
        return tuple(name for name in self.extra if self.table.column(name).type is Type.NUMBER)


@dataclass(frozen=True)
class _Rule:
    """What may not be in a row: `bad` is a condition in the core's SQL."""

    column: str
    what: str
    todo: str
    bad: str
    is_error: bool = False
    name: str = ""


@contextmanager
def warehouse(params: Params) -> Iterator[WarehouseEngine]:
    """A session of the engine that `params.source` names.

    Raises
    ------
    BadInput
        `source.url` is not set, or nothing answers there.
    """
    source = params.source
    if not source.url:
        todo = "Give the database, such as postgresql://reader@host/crm, or Spark's master, such as local[2]."
        raise BadInput([Finding("source.url", f"is not set, and source.engine is {source.engine}", todo)])
    if refused := [*_settings_of_files(source), *_roll_up(params)]:
        raise BadInput(refused)
    place = Warehouse(source.engine, source.url, {}, {}, {})
    with warehouse_engine(place, budget=params.budget) as engine:
        yield engine


def _settings_of_files(source: Source) -> Iterator[Finding]:
    """Settings that say how texts and moments are read where they are read here, and would do nothing there."""
    for name in ("encoding", "decimal_comma", "timezone"):
        if getattr(source, name):
            what = f"is for files and DuckDB, and source.engine is {source.engine}"
            todo = "Remove it, and give such columns their days and amounts in a view, or a query of source.tables."
            yield Finding(f"source.{name}", what, todo)


def _roll_up(params: Params) -> Iterator[Finding]:
    if params.revenue.by_parent:
        what = f"is parent, and source.engine is {params.source.engine}: tables that stay there are not rolled up"
        todo = "Set it to account, and give every table the parent's id as account_id in a view or in source.tables."
        yield Finding("revenue.account_level", what, todo)


def open_kept(
    connection: duckdb.DuckDBPyConnection, engine: WarehouseEngine, source: Source
) -> tuple[dict[str, Opened], list[Finding]]:
    """Bring the tables that the revenue arithmetic needs, as they are in the warehouse."""
    opened: dict[str, Opened] = {}
    problems: list[Finding] = []
    for name in BROUGHT:
        relation, findings = _place(engine, source, name)
        problems += findings
        if relation is not None:
            connection.register(f"kept_{name}", engine.rows(f"SELECT * FROM {relation} kept", as_text=True))
            rows = connection.execute(f"DESCRIBE SELECT * FROM kept_{name}").fetchall()
            opened[name] = Opened(f"kept_{name}", {str(row[0]): str(row[1]) for row in rows})
    return opened, problems


def with_remotes(
    tables: Tables, report: CheckReport, remotes: Mapping[str, Remote], source: Source
) -> tuple[Tables, CheckReport]:
    """The tables and the report with those that stay in the warehouse; they too tell where the data end."""
    newest = [remote.newest_day + timedelta(days=1) for name, remote in remotes.items()
              if remote.newest_day and name in HAPPENED]  # fmt: skip
    until = source.data_until or max(newest, default=tables.data_until)
    why = "the newest day in the warehouse says so" if newest and not source.data_until else report.data_until_why
    digests = [tables.digest, *(f"{name}:{remote.digest}" for name, remote in sorted(remotes.items()))]
    selects = {name: remote.select for name, remote in remotes.items()}
    contents = {name: remote.digest for name, remote in remotes.items()}
    first_days = {name: remote.first_day.isoformat() for name, remote in remotes.items() if remote.first_day}
    more = replace(
        tables,
        columns={**tables.columns, **{name: remote.columns for name, remote in remotes.items()}},
        data_until=until,
        digest=hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16],
        warehouse=Warehouse(source.engine, str(source.url), selects, first_days, contents),
    )
    changed = replace(
        report,
        tables=(*report.tables, *(_told(remote) for remote in remotes.values())),
        absent_tables=tuple(name for name in report.absent_tables if name not in remotes),
        warnings=(*report.warnings, *(warning for remote in remotes.values() for warning in remote.warnings)),
        data_until=until,
        data_until_why=why,
    )
    return more, changed


def _told(remote: Remote) -> TableReport:
    absent = tuple(name for name in remote.table.names if name not in remote.columns)
    declared = tuple(name for name in remote.columns if name not in remote.extra)
    rows_kept = remote.rows - remote.left_out
    return TableReport(remote.table.name, remote.rows, rows_kept, remote.left_out, declared, absent, remote.extra,
                       remote.first_day, remote.last_day)  # fmt: skip


def look(
    engine: WarehouseEngine, source: Source, wanted: Mapping[str, Mapping[str, Wanted]], progress: Progress
) -> tuple[dict[str, Remote], list[Finding]]:
    """Look at every other table where it is: one scan each."""
    remotes: dict[str, Remote] = {}
    problems: list[Finding] = []
    for name, table in contract.TABLES.items():
        if name in BROUGHT:
            continue
        relation, findings = _place(engine, source, name)
        problems += findings
        if relation is not None:
            progress(f"counting {name}")
            remote, findings = _look(engine, table, relation, source, wanted[name])
            problems += [*findings, *(remote.errors if remote else ())]
            remotes |= {name: remote} if remote else {}
    return remotes, problems


def _place(engine: WarehouseEngine, source: Source, name: str) -> tuple[str | None, list[Finding]]:
    """What to select a table from; None if an optional one is absent."""
    setting = source.tables.get(name, TableSource())
    if setting.query is not None:
        query = setting.query.strip().rstrip(";")
        return (f"({query}\n)", []) if dialects.is_one_select(query, engine.dialect) else (None, [_no_select(name)])
    relation = engine.find(name, source.path)
    if relation is None and (contract.TABLES[name].required or name in source.tables):
        todo = f"Give a table or view of that name, or a query in source.tables.{name}.query."
        return None, [Finding(name, f"is not where source.engine {source.engine} looks for it", todo)]
    return relation, []


def _no_select(name: str) -> Finding:
    todo = f"Correct source.tables.{name}.query, or make a view of it there."
    return Finding(name, "its query is not one SELECT", todo)


def _look(
    engine: WarehouseEngine, table: Table, relation: str, source: Source, wanted: Mapping[str, Wanted]
) -> tuple[Remote | None, list[Finding]]:
    try:
        types = engine.types(relation)
    except RuntimeError as error:
        todo = f"Correct source.tables.{table.name}.query; it is one SELECT in {source.engine}'s SQL."
        return None, [Finding(table.name, f"cannot be read: {error}", todo)]
    mapped, problems = map_columns(table, Opened(relation, types), source.tables.get(table.name, TableSource()), wanted)
    table = _with_extra(table, mapped, types, wanted, engine.dialect)
    problems += [_wrong_type(table, name, types[source_name]) for name, source_name in mapped.columns.items()
                 if kind_of(types[source_name], engine.dialect) not in FITS[table.column(name).type]]  # fmt: skip
    if problems:
        return None, problems
    kinds = {name: kind_of(types[theirs], engine.dialect) for name, theirs in mapped.columns.items()}
    typed = {name: typed_column(named(theirs), table.column(name), kinds[name], engine.dialect, source.null_texts)
             for name, theirs in mapped.columns.items()}  # fmt: skip
    rules = list(_rules(table, mapped, types, typed, engine.dialect, source))
    return _counted(engine, table, relation, typed, rules, source), []


def _with_extra(
    table: Table, mapped: Mapped, types: Mapping[str, str], wanted: Mapping[str, Wanted], dialect: str
) -> Table:
    """The table with its extra columns: of numbers, if the settings say so or their type there does, else of text."""
    numbers = [
        name
        for name in mapped.extra
        if wanted[name].kind == "number"
        or (wanted[name].kind is None and kind_of(types[mapped.columns[name]], dialect) in NUMBERS)
    ]
    return extended(table, {name: Type.NUMBER if name in numbers else Type.TEXT for name in mapped.extra})


def kind_of(declared: str, dialect: str) -> str:
    """The kind of an engine's type: text, date, time, zoned, integer, decimal, float, bool; else the type itself."""
    base = declared.split("(")[0].strip().lower()
    if base == "timestamp":
        return "zoned" if dialect == "spark" else "time"
    return KINDS.get(base, base)


def typed_column(value: str, column: Column, kind: str, dialect: str, null_texts: Sequence[str] = ()) -> str:
    """SQL of the core for a column in the contract's type: text trimmed, empty text NULL, moments in UTC."""
    if column.type in (Type.ID, Type.TEXT):
        text, nothing = f"TRIM(CAST({value} AS VARCHAR))", ", ".join(map(quoted, ("", *null_spellings(null_texts))))
        text = f"CASE WHEN {text} NOT IN ({nothing}) THEN {text} END"
        if column.allowed:
            spelled = f"REPLACE(REPLACE(LOWER({text}), ' ', '_'), '-', '_')"
            allowed = ", ".join(quoted(word) for word in column.allowed)
            text = f"CASE WHEN {spelled} IN ({allowed}) THEN {spelled} END"
        return f'{text} COLLATE "C"' if dialect == "postgres" else text
    if column.type in (Type.DATE, Type.TS) and kind == "zoned" and dialect == "postgres":
        return f"CAST({value} AT TIME ZONE 'UTC' AS {column.type.sql})"
    if column.type is Type.NUMBER:
        return f"CASE WHEN {_finite(value)} THEN CAST({value} AS DOUBLE) END"
    return f"CAST({value} AS {column.type.sql})"


def _finite(value: str) -> str:
    """Neither infinite nor NaN, which both engines hold to be the greatest number."""
    return " AND ".join(
        f"CAST({value} AS DOUBLE) {sign} CAST('{end}Infinity' AS DOUBLE)" for sign, end in ((">", "-"), ("<", ""))
    )


def _rules(
    table: Table, mapped: Mapped, types: Mapping[str, str], typed: Mapping[str, str], dialect: str, source: Source
) -> Iterator[_Rule]:
    """What is held against every row: the rules of the check that such columns can break."""
    for name, source_name in mapped.columns.items():
        column, value = table.column(name), named(source_name)
        if column.type is Type.NUMBER:
            what = f"with a number beyond {LARGEST:,}, which sums cannot hold exactly"
            yield _Rule(name, what, "Give it in a larger unit.", f"ABS({typed[name]}) > {LARGEST}", name="too_large")
        if column.required:
            todo = "Every row needs one."
            missing = f"{typed[name]} IS NULL" + _but_open(table, name, typed)
            yield _Rule(name, "without a value that can be used", todo, missing, name="missing_value")
        elif column.type is Type.NUMBER and kind_of(types[source_name], dialect) == "float":
            infinite = f"ABS({value}) = CAST('Infinity' AS DOUBLE)"
            yield _Rule(name, "with a number that is not finite", "Give a finite number.", infinite, name="not_finite")
        elif column.allowed and column.blank:
            nothing = ", ".join(map(quoted, ("", *null_spellings(source.null_texts))))
            unknown = f"TRIM(CAST({value} AS VARCHAR)) NOT IN ({nothing}) AND {typed[name]} IS NULL"
            todo = f"Allowed are {', '.join(column.allowed)}."
            yield _Rule(name, "with a value that is not allowed", todo, unknown, name="value_not_allowed")
        if column.type in (Type.DATE, Type.TS):
            day = f"CAST({typed[name]} AS DATE)"
            far = f"{day} < DATE '{source.earliest}' OR {day} >= DATE '{source.latest}'"
            what = f"with a date before {source.earliest} or from {source.latest} on"
            todo = "Correct it, or leave it empty if it stands for an open end."
            yield _Rule(name, what, todo, far, is_error=True, name="far_date")


def _but_open(table: Table, name: str, typed: Mapping[str, str]) -> str:
    return f" AND NOT ({table.is_open(typed)})" if name in table.answer and table.opened_by in typed else ""


def _counted(
    engine: WarehouseEngine,
    table: Table,
    relation: str,
    typed: Mapping[str, str],
    rules: Sequence[_Rule],
    source: Source,
) -> Remote:
    """Count what breaks the rules, and make the SELECT of the rows that break none."""
    bad = " OR ".join(f"({rule.bad})" for rule in rules if not rule.is_error) or "FALSE"
    flags = [f"CASE WHEN {bad} THEN 1 ELSE 0 END AS bad"]
    flags += [f"CASE WHEN {rule.bad} THEN 1 ELSE 0 END AS rule_{index}" for index, rule in enumerate(rules)]
    columns = [f"{sql} AS {plain(name)}" for name, sql in typed.items()]
    looked_at = f"SELECT {', '.join([*columns, *flags])} FROM raw.{table.name}"
    row = engine.rows(_placed(engine, relation, table, _totals(table, typed, looked_at, len(rules)))).to_pylist()[0]
    marked = f"SELECT {', '.join([*columns, flags[0]])} FROM raw.{table.name}"
    good_rows = f"SELECT {', '.join(map(plain, typed))} FROM ({marked}) marked WHERE bad = 0"
    select = _placed(engine, relation, table, good_rows)
    errors, warnings = _findings(table, rules, row, source.max_bad_share)
    return Remote(table, tuple(typed), select, row["n"], row["left_out"] or 0, row["first_day"], row["last_day"],
                  row["newest_day"], _digest(engine, select, tuple(typed)), errors, warnings)  # fmt: skip


def _totals(table: Table, typed: Mapping[str, str], looked_at: str, rules: int) -> str:
    event = table.event_day if table.event_day in typed else None
    day = f"CASE WHEN bad = 0 THEN CAST({event} AS DATE) END" if event else "CAST(NULL AS DATE)"
    key = table.key[0] if table.key and table.key[0] in typed and len(table.key) == 1 else None
    repeats = f"COUNT({key}) - COUNT(DISTINCT {key})" if key else "0"
    counts = "".join(f", SUM(rule_{index}) AS rule_{index}" for index in range(rules))
    return f"""
        SELECT COUNT(*) AS n, SUM(bad) AS left_out, MIN({day}) AS first_day, MAX({day}) AS last_day,
               MAX(CASE WHEN {table.happened(tuple(typed))} THEN {day} END) AS newest_day, {repeats} AS repeats{counts}
        FROM ({looked_at}) looked_at"""


def _placed(engine: WarehouseEngine, relation: str, table: Table, core: str) -> str:
    """SQL of the core in the engine's dialect, with the place of the raw table filled in as it stands."""
    text = dialects.translate(dialects.own(core), engine.dialect, raw=PLACE)
    return text.replace(f"{PLACE}{table.name}", relation)


def _findings(
    table: Table, rules: Sequence[_Rule], row: dict[str, Any], limit: float
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    counts = [(rule, row[f"rule_{index}"] or 0) for index, rule in enumerate(rules)]
    too_many = (row["left_out"] or 0) > limit * row["n"]
    findings: dict[bool, list[Finding]] = {True: [], False: []}
    for rule, count in counts:
        if count:
            findings[rule.is_error or too_many].append(
                Finding(table.name, rule.what, rule.todo, rule.column, count, row["n"], rule=rule.name)
            )
    if row["repeats"]:
        todo = f"Keep one of each: give a query in source.tables.{table.name}.query."
        findings[True].append(
            Finding(
                table.name, "repeating an earlier one", todo, table.key[0], row["repeats"], row["n"], rule="repeated"
            )
        )
    if not row["n"]:
        todo = "Give its rows, or remove it: the table is optional."
        findings[True].append(Finding(table.name, "is empty", todo, rule="empty_table"))
    return tuple(findings[True]), tuple(findings[False])


def _digest(engine: WarehouseEngine, select: str, columns: Sequence[str]) -> str:
    texts = ", ".join(f"COALESCE(CAST(t.`{column}` AS STRING), '\u2205')" for column in columns)
    row = engine.rows(DIGESTS[engine.dialect].format(select=select, texts=texts)).to_pylist()[0]
    return hashlib.sha256(f"{','.join(columns)}:{row['n']}:{row['hashes']}".encode()).hexdigest()[:16]


def _wrong_type(table: Table, name: str, declared: str) -> Finding:
    type_needed = table.column(name).type.value
    todo = f"Cast it in a query: source.tables.{table.name}.query."
    return Finding(table.name, f"is {declared} there, and {type_needed} is needed", todo, column=name)
