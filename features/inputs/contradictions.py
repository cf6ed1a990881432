"""Contradictions: rows that can each be read, and cannot all be true. They are named and counted, and kept."""

from collections.abc import Iterator

import duckdb

from features.inputs.checks.contradiction import Contradiction
from features.inputs.checks.team_contradictions import team_contradictions
from features.tables import contract
from features.tables.checked import Tables
from features.tables.problems import EXAMPLES, Finding
from features.tables.sql import one_of

STALE_RATE_DAYS = 62
EVENTS = ("usage", "csm_actions", "engagement", "tickets", "surveys")
FITS = ("technical_fit", "functional_fit", "experience_fit", "support_fit", "buy_in_fit")
ORDERED = (  # table, what comes first, what comes after it
    ("tickets", "opened_at", "first_response_at"),
    ("tickets", "opened_at", "resolved_at"),
    ("contacts", "joined_on", "left_on"),
    ("goals", "set_on", "achieved_on"),
    ("goals", "set_on", "updated_on"),
    ("surveys", "sent_on", "responded_on"),
    ("people", "started_on", "left_on"),
)


def contradictions(connection: duckdb.DuckDBPyConnection, tables: Tables, *, grace_days: int) -> list[Finding]:
    """Every contradiction in the checked tables that `connection` holds, with counts and examples."""
    _make_lines(connection, tables)
    findings = []
    for item in _all(tables, grace_days):
        count = _count(connection, item.rows)
        if count:
            findings.append(_finding(connection, item, count))
    return findings


def _count(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {rows}").fetchone()
    return int(row[0]) if row else 0


def _finding(connection: duckdb.DuckDBPyConnection, item: Contradiction, count: int) -> Finding:
    rows = connection.execute(
        f"SELECT {item.shown} AS shown FROM {item.rows} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {EXAMPLES}"
    ).fetchall()
    examples = tuple(str(row[0]) for row in rows)
    of = _count(connection, item.table)
    return Finding(item.table, item.what, item.todo, item.column, count, of, examples, item.rule)


def _make_lines(connection: duckdb.DuckDBPyConnection, tables: Tables) -> None:
    """Make `lines` (the newest version of each, with its end) and `spans` (from first start to last end)."""
    get = {name: name if tables.has("contracts", name) else "NULL" for name in contract.CONTRACTS.names}
    newest = "recorded_at DESC NULLS LAST" if tables.has("contracts", "recorded_at") else "starts_on"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE lines AS
        SELECT contract_id, account_id, starts_on, CAST({get["currency"]} AS VARCHAR) AS currency,
               CAST({get["notice_on"]} AS DATE) AS notice_on,
               LEAST(CAST(COALESCE({get["ended_on"]}, {get["ends_on"]}) AS DATE),
                     CAST({get["deleted_at"]} AS DATE)) AS end_on
        FROM contracts
        QUALIFY row_number() OVER (PARTITION BY contract_id ORDER BY {newest}) = 1""")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE spans AS
        SELECT account_id, min(starts_on) AS first_start, max(end_on) AS last_end, bool_or(end_on IS NULL) AS is_open
        FROM lines GROUP BY account_id""")


def _all(tables: Tables, grace_days: int) -> Iterator[Contradiction]:
    yield from _accounts(tables)
    yield from _contracts(tables)
    yield from _usage(tables)
    for table in EVENTS:
        if table in tables.columns:
            yield _after_last_end(tables, table, grace_days)
    yield from _severities(tables)
    yield from _recorded_before(tables)
    yield from _out_of_order(tables)
    yield from _scores(tables)
    yield from _churn_events(tables)
    yield from _rates(tables)
    yield from team_contradictions(tables)


def _accounts(tables: Tables) -> Iterator[Contradiction]:
    todo = (
        "They are never customers and appear nowhere; add their contracts if they should, and if the source deletes "
        "lines, keep these with deleted_at or bring a history (recorded_at): else the past lacks them."
    )
    rows = "accounts WHERE account_id NOT IN (SELECT account_id FROM lines)"
    what, rule = "of accounts without any contract", "account_without_contract"
    yield Contradiction("accounts", "account_id", what, todo, rows, "account_id", rule)
    if tables.has("accounts", "customer_since"):
        rows = "accounts JOIN spans USING (account_id) WHERE customer_since > first_start"
        example = "concat(account_id, ': ', customer_since, ' after ', first_start)"
        todo = "Tenure is counted from the first line."
        what, rule = "later than the first line's start", "customer_since_after_first_line"
        yield Contradiction("accounts", "customer_since", what, todo, rows, example, rule)
    for fit in FITS:
        if tables.has("accounts", fit):
            rows = f"accounts WHERE {fit} < 0 OR {fit} > 1"
            example = f"concat(account_id, ': ', {fit})"
            what, todo = "outside 0 to 1", "Scale it to 0 to 1."
            yield Contradiction("accounts", fit, what, todo, rows, example, "fit_out_of_scale")


def _contracts(tables: Tables) -> Iterator[Contradiction]:
    if tables.has("contracts", "mrr"):
        rows = "contracts WHERE mrr = 0 AND (SELECT max(mrr) FROM contracts) = 0"
        todo = "No account has revenue, so nothing can be forecast: map the column that holds the monthly amount."
        yield Contradiction(
            "contracts", "mrr", "with an amount of 0", todo, rows, "contract_id", rule="no_revenue_at_all"
        )
    if tables.has("contracts", "notice_on"):
        rows, example = "lines WHERE notice_on > end_on", "concat(contract_id, ': ', notice_on, ' after ', end_on)"
        todo = "A notice given after the end tells nothing ahead of it."
        yield Contradiction(
            "contracts", "notice_on", "with a notice after the line's end", todo, rows, example, rule="notice_after_end"
        )
    if tables.has("contracts", "ended_on", "ends_on"):
        example = "concat(contract_id, ': ', ended_on, ' after ', ends_on)"
        todo = "ended_on is for an early stop; it is taken as the end."
        rows = "contracts WHERE ended_on > ends_on"
        yield Contradiction(
            "contracts", "ended_on", "stopped after the scheduled end", todo, rows, example, rule="ended_after_term"
        )


def _usage(tables: Tables) -> Iterator[Contradiction]:
    if "usage" not in tables.columns:
        return
    rows = "usage JOIN spans USING (account_id) WHERE used_on < first_start"
    example = "concat(account_id, ': ', used_on, ' before ', first_start)"
    todo = before = "Correct the dates or the account; such usage counts as seen before the contract."
    what = "before the account's first contract starts"
    yield Contradiction("usage", "used_on", what, todo, rows, example, "usage_before_first_contract")
    if tables.has("usage", "quantity"):
        todo = "Such a row counts as no use of that day and lowers the sums: correct it, or leave it out."
        what, rows = "with a negative quantity", "usage WHERE quantity < 0"
        example = "concat(account_id, ': ', quantity)"
        yield Contradiction("usage", "quantity", what, todo, rows, example, "negative_quantity")
    if tables.has("usage", "contract_id"):
        rows = "usage u JOIN lines l USING (contract_id) WHERE used_on < starts_on"
        example = "concat(contract_id, ': ', used_on, ' before ', starts_on)"
        what = "before the contract line they were used under starts"
        yield Contradiction("usage", "used_on", what, before, rows, example, "usage_before_its_line")
        rows = "usage WHERE contract_id NOT IN (SELECT contract_id FROM lines)"
        what, todo = "of a line that contracts lacks", "Correct contract_id, or add the line."
        yield Contradiction("usage", "contract_id", what, todo, rows, "contract_id", "usage_of_unknown_line")


def _severities(tables: Tables) -> Iterator[Contradiction]:
    """Tickets of a severity that no feature knows: `P1` may be the worst or the least, so it is not guessed."""
    if tables.has("tickets", "severity"):
        codes = (*contract.MILD_CODES, *contract.SEVERE_CODES)
        todo = (
            f"They count as not severe. Known are {', '.join(contract.MILD_CODES)} and, as severe, "
            f"{', '.join(contract.SEVERE_CODES)}: map the others in the source or in source.tables.tickets.query, with "
            "CASE severity WHEN 'P1' THEN 'critical' ELSE severity END AS severity."
        )
        rows = f"tickets WHERE NOT {one_of('severity', *codes)}"
        yield Contradiction(
            "tickets", "severity", "of a severity that is not known", todo, rows, "severity", rule="unknown_severity"
        )


def _day(table: str) -> str:
    return f"CAST({contract.TABLES[table].event_day} AS DATE)"


def _after_last_end(tables: Tables, table: str, grace_days: int) -> Contradiction:
    day = _day(table)
    rows = f"{table} JOIN spans USING (account_id) WHERE NOT is_open AND {day} >= last_end + {grace_days}"
    rows += f" AND {contract.TABLES[table].happened(tables.columns[table])}"
    when = "after the account's last contract ended"
    return Contradiction(
        table,
        contract.TABLES[table].event_day or "",
        f"{grace_days} days or more {when}" if grace_days else when,
        "Correct the dates, or add the contract that is missing.",
        rows,
        f"concat(account_id, ': ', {day}, ' after ', last_end)",
        rule="after_last_contract",
    )


def _recorded_before(tables: Tables) -> Iterator[Contradiction]:
    """Events that were known before the day they happened; a planned action may be."""
    for table in ("usage", "engagement", "tickets", "surveys"):
        if tables.has(table, "recorded_at"):
            rows = f"{table} WHERE CAST(recorded_at AS DATE) < {_day(table)}"
            example = f"concat(account_id, ': ', CAST(recorded_at AS DATE), ' before ', {_day(table)})"
            todo = "They count from the day they happened."
            yield Contradiction(
                table, "recorded_at", "recorded before the event", todo, rows, example, rule="recorded_before_event"
            )


def _out_of_order(tables: Tables) -> Iterator[Contradiction]:
    for table, first, then in ORDERED:
        if tables.has(table, first, then):
            rows = f"{table} WHERE {then} < {first}"
            whose = "account_id" if tables.has(table, "account_id") else contract.TABLES[table].key[0]
            example = f"concat({whose}, ': ', {then}, ' before ', {first})"
            todo = "Correct the one that is wrong."
            yield Contradiction(table, then, f"with {then} before {first}", todo, rows, example, rule="out_of_order")


def _scores(tables: Tables) -> Iterator[Contradiction]:
    if not tables.has("surveys", "kind"):
        return
    for kind, (low, high) in contract.SCORES.items():
        rows = f"surveys WHERE kind = '{kind}' AND (score < {low} OR score > {high})"
        todo = f"Scale {kind} to {low} to {high}."
        yield Contradiction(
            "surveys",
            "score",
            f"of {kind} outside {low} to {high}",
            todo,
            rows,
            "CAST(score AS VARCHAR)",
            rule="score_out_of_scale",
        )


def _churn_events(tables: Tables) -> Iterator[Contradiction]:
    """A churn that is said, where a line that had begun by then ran on."""
    if "churn_events" not in tables.columns:
        return
    runs_on = "starts_on <= left_on AND COALESCE(end_on, DATE '9999-12-31') > left_on"
    rows = f"churn_events c SEMI JOIN lines l ON c.account_id = l.account_id AND {runs_on}"
    example = "concat(account_id, ': ', left_on)"
    todo = "Who left is what contracts say: close the line (ended_on) if the account really left."
    yield Contradiction(
        "churn_events", "left_on", "with a subscription still open", todo, rows, example, rule="churn_with_open_line"
    )
    rows = "churn_events c JOIN spans USING (account_id) WHERE left_on < first_start"
    example = "concat(account_id, ': ', left_on, ' before ', first_start)"
    what = "before the account's first contract starts"
    yield Contradiction(
        "churn_events",
        "left_on",
        what,
        "Correct the dates or the account.",
        rows,
        example,
        rule="churn_before_first_contract",
    )


def _rates(tables: Tables) -> Iterator[Contradiction]:
    """Currencies whose rates begin too late or stop too early."""
    if not tables.has("contracts", "currency") or "fx_rates" not in tables.columns:
        return
    first = "(SELECT currency, min(month) AS first_month, max(month) AS last_month FROM fx_rates GROUP BY 1)"
    rows = f"lines JOIN {first} USING (currency) WHERE starts_on < first_month AND COALESCE(end_on > first_month, TRUE)"
    todo = "Add earlier rates; snapshots before the first one cannot value these lines."
    example = "concat(currency, ' from ', first_month)"
    yield Contradiction(
        "contracts",
        "currency",
        "starting before the currency's first rate",
        todo,
        rows,
        example,
        rule="rates_begin_late",
    )
    rows = f"{first} WHERE last_month < DATE '{tables.data_until}' - {STALE_RATE_DAYS}"
    example = "concat(currency, ' until ', last_month)"
    todo = "Add newer rates; until then the last one stands."
    rows = f"fx_rates WHERE (currency, month) IN (SELECT (currency, last_month) FROM {rows})"
    what = f"holding a currency's last rate, more than {STALE_RATE_DAYS} days before the data end"
    yield Contradiction("fx_rates", "month", what, todo, rows, "concat(currency, ': ', month)", rule="rates_stop_early")
