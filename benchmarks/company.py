"""A company of any size for the engine's benchmarks: all event tables, written as Parquet by DuckDB itself.

Usage is in daily rows by user and feature and arrives the day after, about 3 % of it later; terms renew or end, change
in mid-term, and are booked ahead or late. Everything follows from hashes of the row's own numbers, so that the same
size gives the same rows whatever the threads.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

FIRST = date(2022, 1, 1)


@dataclass(frozen=True)
class Size:
    """How many accounts over how many months; `active` is a user's chance to be active on a day."""

    accounts: int
    months: int
    active: float


SIZES = {
    "S": Size(accounts=1_000, months=24, active=0.252),  # 3.5 million rows of usage
    "M": Size(accounts=10_000, months=36, active=0.265),  # 57 million
    "M10": Size(accounts=1_000, months=36, active=0.265),  # the first tenth of M's accounts
    "L": Size(accounts=70_000, months=36, active=0.265),  # 396 million
}

KINDS = ["meeting", "email", "training", "webinar", "community"]
PROCESSES = ["onboarding", "expansion", "retention", "success_plan", "advocacy"]

_RANDOM = """
    CREATE MACRO random_of(stream, a, b, c) AS
        CAST(hash(CAST(stream AS BIGINT), CAST(a AS BIGINT), CAST(b AS BIGINT), CAST(c AS BIGINT)) % 1000003 AS DOUBLE)
        / 1000003"""


def write(folder: Path, size: Size) -> None:
    """Write a Parquet file a table, and usage as a folder of a file a month."""
    (folder / "usage").mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2; SET memory_limit = '6GB'; SET preserve_insertion_order = false")
        connection.execute(_RANDOM)
        connection.execute(_account_numbers(size))
        until = f"(DATE '{FIRST}' + to_months({size.months}))"
        for name, select in {**_records(), "contracts": _contracts(until), **_events(until)}.items():
            connection.execute(f"COPY ({select}) TO '{folder / name}.parquet' (FORMAT parquet, COMPRESSION zstd)")
        for month in range(size.months):
            file = folder / "usage" / f"{month:03d}.parquet"
            connection.execute(f"COPY ({_usage(month, size)}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")


def _account_numbers(size: Size) -> str:
    """Table `company`: number, id, users, first day, last day (exclusive) and the length of a term."""
    days = f"{size.months} * 30.4"
    normal = "sqrt(-2 * ln(1 - random_of(1, i, 0, 0))) * cos(2 * pi() * random_of(2, i, 0, 0))"
    return f"""
        CREATE TABLE company AS
        SELECT CAST(i AS INTEGER) AS i, format('A-{{:06d}}', i) AS account_id,
               CAST(greatest(2, least(400, exp(2.3 + 0.9 * {normal}))) AS INTEGER) AS users,
               DATE '{FIRST}' + CAST(CASE WHEN random_of(4, i, 0, 0) < 0.6 THEN random_of(3, i, 0, 0) * {days}
                                          ELSE -700 * random_of(3, i, 0, 0) END AS INTEGER) AS first_day,
               DATE '{FIRST}' + CAST(CASE WHEN random_of(5, i, 0, 0) < 0.35 THEN random_of(6, i, 0, 0) * {days}
                                          ELSE {days} + 60 END AS INTEGER) AS last_day,
               CASE WHEN random_of(7, i, 0, 0) < 0.7 THEN 365 WHEN random_of(7, i, 0, 0) < 0.85 THEN 182
                    ELSE 730 END AS term
        FROM range({size.accounts}) t(i)"""


def _choice(values: list[str], stream: int, day: str = "dn") -> str:
    """One of some values, by chance."""
    return f"list_extract({values}, 1 + CAST(floor(random_of({stream}, i, {day}, 0) * len({values})) AS INTEGER))"


def _records() -> dict[str, str]:
    """The tables whose rows are about an account rather than a day."""
    return {
        "accounts": f"""
            SELECT account_id, {_choice(["small", "mid", "large"], 20, "0")} AS segment,
                   {_choice(["retail", "health", "finance", "education"], 21, "0")} AS industry,
                   {_choice(["americas", "emea", "apac"], 22, "0")} AS region,
                   first_day AS customer_since FROM company""",
        "contacts": """
            SELECT account_id || CAST(n AS VARCHAR) AS contact_id, account_id,
                   list_extract(['champion', 'executive_sponsor', 'decision_maker', 'user', 'user', 'user'], n) AS role,
                   CASE WHEN n = 4 THEN 'vendor' ELSE 'customer' END AS side, first_day AS joined_on,
                   CASE WHEN random_of(70, i, n, 0) < 0.3
                        THEN first_day + CAST(30 + random_of(71, i, n, 0) * 700 AS INTEGER) END AS left_on
            FROM company, (SELECT unnest(range(1, 7)) AS n)""",
        "goals": """
            SELECT account_id, 'goal ' || n AS goal,
                   CASE WHEN n = 1 THEN 'first_value' ELSE 'twelve_month' END AS horizon,
                   first_day + 10 * n AS set_on, first_day + 80 * n AS due_on,
                   CASE WHEN random_of(80, i, n, 0) < 0.7
                        THEN first_day + CAST(20 + random_of(81, i, n, 0) * 120 * n AS INTEGER) END AS achieved_on
            FROM company, (SELECT CAST(unnest(range(1, 4)) AS INTEGER) AS n)""",
    }


def _events(until: str) -> dict[str, str]:
    """The tables of what happens on the days of each account."""
    days = f"""SELECT c.*, CAST(d.day AS DATE) AS day, CAST(d.day AS DATE) - DATE '{FIRST}' AS dn
               FROM company c, (SELECT unnest(range(DATE '{FIRST}', {until}, INTERVAL 1 DAY)) AS day) d
               WHERE d.day >= c.first_day AND d.day < c.last_day"""
    return {
        "csm_actions": _actions(days),
        "engagement": _engagement(days),
        "tickets": _tickets(days),
        "surveys": _surveys(days),
    }


def _late(stream: int) -> str:
    """When a row became known: twenty hours after its day at the least."""
    hours = f"20 + CAST(random_of({stream}, i, dn, 1) * random_of({stream}, i, dn, 2) * 100 AS INTEGER)"
    return f"CAST(day AS TIMESTAMP) + to_hours({hours})"


def _actions(days: str) -> str:
    return f"""
        SELECT account_id, day AS acted_on, 'call' AS action, {_choice(PROCESSES, 30)} AS process,
               'playbook ' || CAST(floor(random_of(31, i, dn, 0) * 6) AS INTEGER) AS playbook,
               CASE WHEN random_of(32, i, dn, 0) < 0.85 THEN 'done' ELSE 'missed' END AS status,
               day - CAST(random_of(33, i, dn, 0) * 10 AS INTEGER) AS planned_on, {_late(34)} AS recorded_at
        FROM ({days}) WHERE random_of(29, i, dn, 0) < 0.1"""


def _engagement(days: str) -> str:
    return f"""
        SELECT account_id, day AS happened_on, {_choice(KINDS, 41)} AS kind,
               account_id || CAST(floor(random_of(42, i, dn, 0) * 6) AS INTEGER) AS contact_id,
               {_late(43)} AS recorded_at
        FROM ({days}) WHERE random_of(40, i, dn, 0) < 0.08"""


def _tickets(days: str) -> str:
    opened = "CAST(day AS TIMESTAMP) + to_minutes(CAST(random_of(51, i, dn, 3) * 1400 AS INTEGER))"
    return f"""
        SELECT account_id, opened_at, opened_at + to_minutes(CAST(random_of(52, i, dn, 0) * 3000 AS INTEGER))
                   AS first_response_at,
               CASE WHEN random_of(53, i, dn, 0) < 0.93
                    THEN opened_at + to_minutes(3000 + CAST(random_of(54, i, dn, 0) * 50000 AS INTEGER)) END
                   AS resolved_at,
               {_choice(["1", "2", "3", "4"], 55)} AS severity
        FROM (SELECT *, {opened} AS opened_at FROM ({days}) WHERE random_of(50, i, dn, 0) < 0.05)"""


def _surveys(days: str) -> str:
    return f"""
        SELECT account_id, day AS responded_on, {_choice(["nps", "nps", "csat", "ces"], 61)} AS kind,
               CAST(1 + floor(random_of(62, i, dn, 0) * 5) AS DOUBLE) AS score,
               {_choice(["decision_maker", "user", "admin"], 63)} AS respondent_role,
               {_late(64)} AS recorded_at
        FROM ({days}) WHERE random_of(60, i, dn, 0) < 0.012"""


def _contracts(until: str) -> str:
    """Terms of one to three products after one another; some change in mid-term, and the older line then ends there."""
    return f"""
        SELECT contract_id || part AS contract_id, account_id, product,
               CASE WHEN part = 'b' THEN 'upsell' WHEN nth = 0 THEN 'new' ELSE 'renewal' END AS kind,
               CASE WHEN part = 'b' THEN starts_on + changed ELSE starts_on END AS starts_on,
               starts_on + term AS ends_on,
               CASE WHEN part = 'a' AND changed IS NOT NULL THEN starts_on + changed
                    WHEN starts_on + term > last_day THEN last_day END AS ended_on,
               CASE WHEN part = 'b' THEN starts_on + changed ELSE starts_on END
                   - CAST(random_of(91, i, nth, p) * 20 - 5 AS INTEGER) AS signed_on,
               CASE WHEN last_day < {until} AND starts_on + term >= last_day THEN last_day - 40 END AS notice_on,
               CAST((50 + 20 * users) / p * CASE WHEN part = 'b' THEN 1.25 ELSE 1 END AS DECIMAL(18, 2)) AS mrr,
               CAST((50 + 20 * users) / p * 1.2 AS DECIMAL(18, 2)) AS list_mrr,
               CAST(users * CASE WHEN part = 'b' THEN 1.25 ELSE 1 END AS INTEGER) AS seats, nth % 2 = 0 AS auto_renew
        FROM (SELECT c.*, p, nth, 'product ' || p AS product,
                     format('{{}}-{{}}-{{}}-', account_id, p, nth) AS contract_id,
                     first_day + nth * term AS starts_on,
                     CASE WHEN random_of(90, i, nth, p) < 0.3 AND first_day + nth * term + term // 2 < last_day
                          THEN term // 2 END AS changed
              FROM company c, (SELECT CAST(unnest(range(1, 4)) AS INTEGER) AS p),
                   (SELECT CAST(unnest(range(0, 12)) AS INTEGER) AS nth)
              WHERE p <= 1 + random_of(92, i, 0, 0) * 2.5 AND first_day + nth * term < least(last_day, {until})) lines,
             (SELECT unnest(['a', 'b']) AS part)
        WHERE part = 'a' OR changed IS NOT NULL"""


def _usage(month: int, size: Size) -> str:
    days = f"range(DATE '{FIRST}' + to_months({month}), DATE '{FIRST}' + to_months({month + 1}), INTERVAL 1 DAY)"
    weekday = "CASE WHEN isodow(day) >= 6 THEN 0.25 ELSE 1.2 END"
    delay = """CASE WHEN random_of(18, i, u, dn * 5 + j) < 0.97 THEN 0
                    WHEN random_of(18, i, u, dn * 5 + j) < 0.999 THEN 1 + CAST(random_of(19, i, u, dn) * 19 AS INTEGER)
                    ELSE 20 + CAST(random_of(19, i, u, dn) * 100 AS INTEGER) END"""
    return f"""
        SELECT account_id, day AS used_on, format('{{}}-{{:03d}}', account_id, u) AS user_id,
               'feature_' || CAST(random_of(14, i, u * 7 + j, dn % 11) * random_of(15, i, 0, 0) * 24 AS INTEGER)
                   AS feature,
               round(exp(3 * random_of(16, i, u, dn * 5 + j)) * 5, 2) AS quantity,
               CAST(day AS TIMESTAMP) + INTERVAL 1 DAY + to_seconds(CAST(random_of(17, i, u, dn) * 21600 AS BIGINT))
                   + to_days({delay}) AS recorded_at
        FROM (SELECT *, unnest(range(1 + CAST(random_of(13, i, u, dn) * 3 AS INTEGER))) AS j
              FROM (SELECT c.i, c.account_id, u.u, CAST(d.day AS DATE) AS day,
                           CAST(d.day AS DATE) - DATE '{FIRST}' AS dn
                    FROM company c JOIN (SELECT unnest(range(400)) AS u) u ON u.u < c.users,
                         (SELECT unnest({days}) AS day) d
                    WHERE d.day >= c.first_day AND d.day < c.last_day)
              WHERE random_of(11, i, u, dn) < {size.active} * {weekday} * (0.35 + 1.3 * random_of(12, i, u, 0)))"""
