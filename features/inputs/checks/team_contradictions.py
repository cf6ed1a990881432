"""Contradictions of who works for whom: names that nobody has, activities in the wrong table, goals of no goal."""

from collections.abc import Iterator

from features.inputs.checks.contradiction import Contradiction
from features.tables.checked import Tables
from features.tables.sql import one_of

ALIKE = 0.9  # Jaro-Winkler similarity from which a name is taken for another one mistyped
NAMED = (("accounts", "csm"), ("accounts", "seller"), ("people", "manager"), ("pay", "person"), ("csm_actions", "csm"))
STAFF_KINDS = ("task", "call", "qbr", "ebr", "business_review", "check_in", "csm_email")


def team_contradictions(tables: Tables) -> Iterator[Contradiction]:
    """Every contradiction of people, targets, goals, surveys and calls."""
    if tables.has("people", "name"):
        for table, column in NAMED:
            if tables.has(table, column):
                yield from _nobody(table, column)
    yield from _staff_activity(tables)
    yield from _goals(tables)
    yield from _unknown_users(tables)
    if tables.has("calls", "probability"):
        shown = "concat(account_id, ': ', probability)"
        rows = "calls WHERE probability < 0 OR probability > 1"
        yield Contradiction(
            "calls", "probability", "outside 0 to 1", "Scale it to 0 to 1.", rows, shown, "probability_out_of_scale"
        )
    if tables.has("accounts", "potential_seats"):
        rows, shown = "accounts WHERE potential_seats < 0", "concat(account_id, ': ', potential_seats)"
        yield Contradiction("accounts", "potential_seats", "below 0", "Give 0 or more.", rows, shown, "below_zero")


def _nobody(table: str, column: str) -> Iterator[Contradiction]:
    """Names that `people` lacks: those that are nearly one of its names, and the others."""
    names = f"(SELECT DISTINCT {column} AS named FROM {table} WHERE {column} NOT IN (SELECT name FROM people))"
    near = f"""(SELECT named, arg_max(name, jaro_winkler_similarity(lower(named), lower(name))) AS meant
                FROM {names} n, (SELECT DISTINCT name FROM people) p
                WHERE jaro_winkler_similarity(lower(named), lower(name)) >= {ALIKE} GROUP BY named)"""
    rows = f"{table} t JOIN {near} m ON t.{column} = m.named"
    what, shown = "with a name that people lacks, and nearly has", "concat(named, ' for ', meant)"
    todo = "Write it alike in both, so that books, managers and hours find each other."
    yield Contradiction(table, column, what, todo, rows, shown, "name_nearly_in_people")
    rows = f"{table} t JOIN {names} n ON t.{column} = n.named WHERE named NOT IN (SELECT named FROM {near})"
    todo = "Add the person to people; until then nobody manages them, and their hours are those of the settings."
    yield Contradiction(table, column, "with a name that people lacks", todo, rows, "named", "name_not_in_people")


def _staff_activity(tables: Tables) -> Iterator[Contradiction]:
    """What the vendor's staff did, logged as if the customer had: health, effects and cadence would not see it."""
    if "engagement" not in tables.columns or "csm_actions" in tables.columns:
        return
    is_staff = one_of("kind", *STAFF_KINDS)
    if tables.has("engagement", "contact_id") and tables.has("contacts", "side"):
        is_staff += " OR contact_id IN (SELECT contact_id FROM contacts WHERE side = 'vendor')"
    what = "of what our own staff did, and there are no csm_actions"
    todo = (
        "Map the tasks, calls and meetings that staff logged to csm_actions (a query in source.tables.csm_actions), "
        "and leave what the customer did in engagement."
    )
    rows = f"engagement WHERE {is_staff}"
    yield Contradiction("engagement", "kind", what, todo, rows, "kind", "staff_activity_in_engagement")


def _goals(tables: Tables) -> Iterator[Contradiction]:
    if tables.has("goals", "milestone_of"):
        whole = "(SELECT account_id, goal FROM goals)"
        rows = f"goals WHERE milestone_of IS NOT NULL AND (account_id, milestone_of) NOT IN {whole}"
        shown = "concat(account_id, ': ', milestone_of)"
        todo = "Write the goal as it is called in the account's own row of it."
        yield Contradiction(
            "goals", "milestone_of", "of a goal that the account lacks", todo, rows, shown, "milestone_of_no_goal"
        )
    if tables.has("goals", "current_value") and not tables.has("goals", "updated_on"):
        todo = "Give updated_on: what was measured counts from that day on."
        what, rows = "without a day on which it was measured", "goals WHERE current_value IS NOT NULL"
        yield Contradiction("goals", "current_value", what, todo, rows, "account_id", "value_without_day")


def _unknown_users(tables: Tables) -> Iterator[Contradiction]:
    """Users of contacts of whom none is in usage: the ids are of something else."""
    if tables.has("contacts", "user_id") and tables.has("usage", "user_id"):
        rows = """contacts WHERE user_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM usage u JOIN contacts c ON c.account_id = u.account_id AND c.user_id = u.user_id)"""
        todo = "Map the column with the ids that usage has, or leave it out: nobody's own use is told by it."
        what = "of a user that usage lacks, as all of them are"
        yield Contradiction("contacts", "user_id", what, todo, rows, "user_id", "users_of_no_usage")
