"""The SQL of features of each kind, dialect by dialect, against files that are kept: review sees when it changes.

After a change that is meant, `make golden` writes the files anew; what `git diff` shows of them then belongs to the
change. The files hold what is emitted, with line breaks before its clauses and nothing else altered.
"""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import params
from features.engines.dialects import CORE, EMITTED, LITE, translate
from features.families import catalogue
from features.families.catalogue import Selection
from features.snapshots.assembly import Assembly, assembly_at
from features.tables.checked import Tables

GOLDEN = Path(__file__).with_name("golden")
DATES = (date(2023, 10, 1), date(2023, 10, 15))
DIALECTS = (CORE, *EMITTED, LITE)
FEATURES = {
    "usage_trend_90d": "sums, of which one outgrows 64 bits",
    "days_since_usage": "a last day, from the days of a slice as bits",
    "features_used_90d": "few things, as bits of words",
    "active_users_28d": "many things that were seen",
    "other_features_share_180d": "sums of each of few things, and the largest of them",
    "power_users_28d": "many things that were active often",
    "usage_peer_rank_28d": "a rank among peers",
    "nps_change": "the newest row and the one before it",
    "ticket_backlog": "a balance of what was opened and closed",
    "first_value_reached": "a running state",
    "response_hours_90d": "seconds between two moments",
    "csm_missed_90d": "text in any spelling",
    "discount": "an aggregate over contract lines",
    "expansions_365d": "each contract line beside the one before it",
    "champion_days_since_use": "rows of certain people, known once both are",
    "deciders_unanswered_180d": "what was sent, known before its answer",
    "customer_tasks_overdue_share": "a balance over a running sum",
    "invites_28d": "declared in the settings: words where the engine has a key",
}
OWN = params.load(None, ["features.invites_28d={table: usage, filter: {feature: Invite Sent}, window: 28}"]).features
SPINE = "spine"  # what all features stand on
CLAUSE = re.compile(
    r"(?<!LEFT)(?<!INNER)(?<!CROSS) +(?=(?:FROM|(?:INNER |LEFT |CROSS )?JOIN|WHERE|GROUP BY|UNION ALL|PARTITION BY)\b)"
)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", [SPINE, *FEATURES])
def test_the_sql_is_the_one_that_is_kept(
    name: str, dialect: str, company_tables: Tables, request: pytest.FixtureRequest
) -> None:
    file = GOLDEN / dialect / f"{name}.sql"
    emitted = "".join(lines_of(name, dialect, company_tables))
    if request.config.getoption("update_golden"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(emitted, encoding="utf-8")
    kept = file.read_text(encoding="utf-8") if file.exists() else ""
    assert emitted == kept, f"{file.relative_to(GOLDEN)}: other SQL than kept; if that is meant, run `make golden`"


def test_no_file_is_kept_of_what_is_no_longer_emitted() -> None:
    expected = {f"{dialect}/{name}.sql" for dialect in DIALECTS for name in (SPINE, *FEATURES)}
    assert {file.relative_to(GOLDEN).as_posix() for file in GOLDEN.rglob("*") if file.is_file()} == expected


def lines_of(name: str, dialect: str, tables: Tables) -> Iterator[str]:
    """The statements of one feature, or of the spine, each under the name of the table it makes."""
    yield f"-- {name}: {FEATURES.get(name, 'every account with ARR at each snapshot')}\n"
    for statement in statements_of(name, tables.elsewhere() if dialect in EMITTED else tables):
        head, _, select = statement.partition(" AS ") if statement.startswith("CREATE") else ("", "", statement)
        if statement.startswith("DROP"):
            continue
        sql = select if dialect == CORE else translate(select, dialect, raw="" if dialect in EMITTED else "raw_")
        yield f"\n-- {head.split()[-1] if head else 'the feature'}\n{laid_out(sql)}\n"


def statements_of(name: str, tables: Tables) -> list[str]:
    if name == SPINE:
        return assembly(tables).statements
    alone = assembly(tables, name)
    made = [f"CREATE TEMP TABLE {table} AS {select}" for table, select in alone.selects.items()]
    feature = alone.selection.features[0]
    return [*made, *alone.ranking, alone.ranked] if feature.value.peers else [*made, alone.select_of([feature])]


def assembly(tables: Tables, *names: str) -> Assembly:
    chosen = tuple(feature for feature in catalogue.catalogue(tables, OWN) if feature.name in names)
    return assembly_at(tables, DATES, params.load().revenue, Selection(chosen, {}))


def laid_out(sql: str) -> str:
    """The same with a line a clause, indented by the brackets around it."""
    lines, depth = [], 0
    for line in "\n".join(CLAUSE.sub("\n", line.strip()) for line in sql.splitlines()).split("\n"):
        lines.append("  " * (depth - line.startswith(")")) + line)
        depth += line.count("(") - line.count(")")
    return "\n".join(line for line in lines if line.strip())
