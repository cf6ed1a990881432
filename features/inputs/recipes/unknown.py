"""Sheets of no known tool: mapped by the names of their columns and by what these hold, with how sure that is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from features.inputs.reading.written_days import form_of
from features.inputs.recipes.kit import Draft, Kit, Thing, account_part
from features.inputs.recipes.survey import Sheet, plain, values
from features.tables import contract
from features.tables.contract import Type
from features.tables.sql import named

SOURCE = "unknown"
SPELLINGS: Mapping[str, str] = {
    "account_id": "account_id customer_id client_id company_id account customer cust_id customer_no customer_number "
    "account_no account_number client_no client_number client cust_no customerid accountid tenant_id org_id "
    "organization_id id",
    "accounts.name": "name account_name customer_name company_name company client_name",
    "accounts.segment": "segment tier size plan_tier customer_segment market_segment",
    "accounts.industry": "industry vertical sector branch",
    "accounts.region": "region country territory state geo",
    "accounts.csm": "csm customer_success_manager account_manager owner cs_owner",
    "accounts.seller": "seller sales_rep account_executive ae",
    "accounts.parent_account_id": "parent_account_id parent_id parent",
    "accounts.customer_since": "customer_since signup_date signed_up_at created created_at created_on first_purchase",
    "contracts.contract_id": "contract_id subscription_id line_id contract_no contract_number contract order_id id",
    "contracts.product": "product plan plan_name plan_tier product_name package sku",
    "contracts.starts_on": "starts_on start start_date start_on begin begin_date begins_on valid_from from_date "
    "contract_start subscription_start period_start",
    "contracts.ends_on": "ends_on end end_date end_on valid_to valid_until to_date contract_end subscription_end "
    "renewal_date term_end expires_on expiry_date period_end",
    "contracts.ended_on": "ended_on churned_on churn_date cancelled_on canceled_on cancel_date cancellation_date "
    "terminated_on",
    "contracts.signed_on": "signed_on signed signed_date booked_on booking_date order_date",
    "contracts.notice_on": "notice_on notice_date notice cancellation_received_on",
    "contracts.mrr": "mrr mrr_amount monthly_amount monthly_fee monthly_revenue monthly_recurring_revenue "
    "monthly_price",
    "contracts.arr": "arr arr_amount acv annual_amount annual_value annual_fee annual_recurring_revenue yearly_amount",
    "contracts.list_mrr": "list_mrr",
    "contracts.seats": "seats licenses licences quantity users seat_count",
    "contracts.currency": "currency currency_code",
    "contracts.kind": "kind",
    "contracts.auto_renew": "auto_renew auto_renew_flag auto_renewal",
    "contracts.buying_center": "buying_center buying_centre",
    "contracts.status": "status",
    "usage.used_on": "used_on usage_date event_date date day timestamp event_time occurred_at happened_at",
    "usage.feature": "feature feature_name event event_name event_type action module",
    "usage.user_id": "user_id user login",
    "usage.quantity": "quantity usage_count count n_events events value",
    "csm_actions.acted_on": "acted_on action_date date activity_date",
    "csm_actions.action": "action action_type activity activity_type playbook_step",
    "csm_actions.csm": "csm csm_name owner",
    "csm_actions.status": "status",
    "engagement.happened_on": "happened_on engagement_date date meeting_date event_date",
    "engagement.kind": "kind engagement_type type channel",
    "tickets.opened_at": "opened_at created_at submitted_at opened created created_on opened_on",
    "tickets.first_response_at": "first_response_at first_reply_at first_responded_at",
    "tickets.resolved_at": "resolved_at closed_at solved_at closed_on resolved_on",
    "tickets.severity": "severity priority urgency",
    "surveys.responded_on": "responded_on response_date answered_on survey_date date",
    "surveys.score": "score rating nps nps_score csat satisfaction_score",
    "surveys.kind": "kind survey_type survey",
    "surveys.respondent_role": "respondent_role role",
    "contacts.contact_id": "contact_id person_id id",
    "contacts.role": "role title job_title",
    "contacts.joined_on": "joined_on created_on since",
    "contacts.left_on": "left_on",
    "churn_events.left_on": "left_on churned_on churn_date churned_at",
    "churn_events.reason": "reason reason_code churn_reason",
    "fx_rates.month": "month date rate_date",
    "fx_rates.currency": "currency currency_code from_currency",
    "fx_rates.rate": "rate fx_rate exchange_rate rate_to_reporting",
}
STEMS = {
    "accounts": "account customer client compan",
    "contracts": "contract subscription line license",
    "usage": "usage event feature activity_log",
    "csm_actions": "csm_action action playbook touch",
    "engagement": "engagement meeting webinar training",
    "tickets": "ticket case support",
    "surveys": "survey nps csat",
    "contacts": "contact people person",
    "churn_events": "churn",
    "fx_rates": "fx rate currenc",
}
SURE, LIKELY = 1.0, 0.9
ENOUGH = 0.5
MONTH = r"\d{4}-\d\d"


@dataclass(frozen=True)
class Guess:
    """A sheet as a table of the contract: our columns with theirs, and how sure that is."""

    sheet: Sheet
    table: str
    columns: Mapping[str, str]
    confidence: float

    @property
    def unrecognised(self) -> tuple[str, ...]:
        """Columns of the sheet that are not mapped."""
        return tuple(column for column in self.sheet.types if column not in self.columns.values())


def guesses(connection: duckdb.DuckDBPyConnection, sheets: Sequence[Sheet]) -> list[Guess]:
    """Each sheet as the table it fits best, where it fits one; of several for a table the surest."""
    best: dict[str, Guess] = {}
    for sheet in sheets:
        fits = [guess for table in STEMS if (guess := _guess(connection, sheet, table)) is not None]
        choice = max(fits, key=lambda guess: (guess.confidence, len(guess.columns)), default=None)
        if choice is not None and choice.confidence >= ENOUGH:
            other = best.get(choice.table)
            if other is None or other.confidence < choice.confidence:
                best[choice.table] = choice
    return list(best.values())


def _guess(connection: duckdb.DuckDBPyConnection, sheet: Sheet, table: str) -> Guess | None:
    """The sheet as one table: by all the columns that this table requires."""
    columns: dict[str, str] = {}
    sure: list[float] = []
    required = {"contracts": ("contract_id", "account_id", "starts_on")}.get(
        table, contract.TABLES[table].required_names
    )
    for name in _names(table):
        place = _column(connection, sheet, table, name, columns)
        if place is not None:
            columns[name] = place[0]
            sure += [place[1]] if name in required or name in ("mrr", "arr") else []
    if not all(name in columns for name in required) or (table == "contracts" and not {"mrr", "arr"} & set(columns)):
        return None
    after = any(stem in sheet.stem for stem in STEMS[table].split())
    confidence = min(sure) * (1 if after else 0.75 if len(columns) > len(required) else 0.5)
    if table == "accounts" and not _unique(connection, sheet, columns["account_id"]):
        return None
    return Guess(sheet, table, columns, round(confidence, 2))


def _names(table: str) -> list[str]:
    names = [name for name in SPELLINGS if "." not in name or name.startswith(f"{table}.")]
    return [name.rpartition(".")[2] for name in names if table != "fx_rates" or "." in name]


def _column(
    connection: duckdb.DuckDBPyConnection, sheet: Sheet, table: str, name: str, taken: Mapping[str, str]
) -> tuple[str, float] | None:
    """The column that holds this, by its name and by whether it holds such values; with how sure that is."""
    spelled = sheet.spelled
    for number, spelling in enumerate((SPELLINGS.get(f"{table}.{name}") or SPELLINGS[name]).split()):
        column = spelled.get(spelling)
        if spelling == "id" and name == "account_id" and table != "accounts":
            continue
        if column and column not in taken.values() and _holds(connection, sheet, column, table, name):
            return column, SURE if number == 0 else LIKELY
    return None


def _holds(connection: duckdb.DuckDBPyConnection, sheet: Sheet, column: str, table: str, name: str) -> bool:
    """Whether a column holds values of the type."""
    kinds = {column.name: column.type for column in contract.TABLES[table]} | {"arr": Type.MONEY, "status": Type.TEXT}
    kind = kinds[name]
    if kind in (Type.ID, Type.TEXT):
        return True
    texts = values(connection, sheet, column, 500)
    if kind in (Type.DATE, Type.TS):
        month = all(re.fullmatch(MONTH, text) for text in texts)
        return not texts or month or form_of(texts) != "other" or _is_time(sheet, column)
    if kind is Type.BOOL:
        return all(text.lower() in ("true", "false", "t", "f", "yes", "no", "y", "n", "0", "1") for text in texts)
    return all(re.fullmatch(r"-?[\d., ]+(e[+-]?\d+)?", text, re.IGNORECASE) for text in texts)


def _is_time(sheet: Sheet, column: str) -> bool:
    return sheet.types[column].startswith(("DATE", "TIMESTAMP"))


def _unique(connection: duckdb.DuckDBPyConnection, sheet: Sheet, column: str) -> bool:
    name = named(column)
    row = connection.execute(
        f"SELECT count(DISTINCT {name}) >= 0.9 * count(*) FROM {sheet.sample} WHERE {name} IS NOT NULL"
    ).fetchone()
    return bool(row and row[0])


def things(guessed: Sequence[Guess]) -> list[Thing]:
    """The accounts that these sheets name; those of a sheet of accounts first."""
    listed = []
    order = {"accounts": 0, "contracts": 1}
    for guess in sorted(guessed, key=lambda guess: order.get(guess.table, 2)):
        if "account_id" not in guess.columns:
            continue
        account = f"NULLIF(TRIM(CAST({named(guess.columns['account_id'])} AS VARCHAR)), '')"
        is_account = guess.table == "accounts"
        name = f", {named(guess.columns['name'])} AS name" if is_account and "name" in guess.columns else ""
        listing = f"SELECT DISTINCT {account} AS id{name}\nFROM {guess.sheet.relation} WHERE {account} IS NOT NULL"
        keys = {"id": "id"} | ({"name": "name"} if name else {})
        columns = ("name",) if name else ()
        listed.append(Thing(kind_of(guess), SOURCE, guess.sheet.name, listing, columns, keys, is_account=is_account))
    return listed


def kind_of(guess: Guess) -> str:
    """The kind of id that a sheet names its accounts by."""
    return f"{guess.table}_of_{guess.sheet.stem}"


def drafts(kit: Kit, guessed: Sequence[Guess]) -> list[Draft]:
    """The tables as they are mapped: values as they stand, the account by way of its id."""
    return [
        _draft(kit, guess)
        for guess in guessed
        if guess.table != "accounts" and ("account_id" not in guess.columns or kind_of(guess) in kit.resolved)
    ]


def _draft(kit: Kit, guess: Guess) -> Draft:
    columns = {
        name: f"t.{named(column)}" for name, column in guess.columns.items() if name not in _left_out(kit, guess)
    }
    for name, column in guess.columns.items():
        texts = values(kit.habits.connection, guess.sheet, column, 500) if name in ("month", "starts_on") else []
        if texts and all(re.fullmatch(MONTH, text) for text in texts):
            columns[name] += " || '-01'"
    join, why = "", [f"By the names and contents of its columns; confidence {guess.confidence:.0%}."]
    if "arr" in guess.columns and "mrr" not in columns:
        text = f"CAST(t.{named(guess.columns['arr'])} AS VARCHAR)"
        amount = kit.habits.number(guess.sheet, guess.columns["arr"], text)
        columns["mrr"] = f"CAST({amount} / 12 AS DECIMAL(18,6))"
        why.append(f"{guess.columns['arr']} is an amount a year: a twelfth of it is the MRR.")
    if "account_id" in columns:
        account = f"NULLIF(TRIM(CAST({columns['account_id']} AS VARCHAR)), '')"
        join = f"\nLEFT JOIN {{{account_part(kind_of(guess))}}} AS a ON a.id = {account}"
        columns["account_id"] = f"COALESCE(a.account_id, {account})"
    selected = ", ".join(f"{text} AS {name}" for name, text in columns.items())
    query = f"SELECT {selected}\nFROM {guess.sheet.relation} AS t{join}"
    return Draft(guess.table, SOURCE, (guess.sheet.name,), query, tuple(columns), tuple(why), guess.confidence)


def _left_out(kit: Kit, guess: Guess) -> set[str]:
    """Columns that are not taken as they stand: yearly amounts, and what may be today's state on past lines."""
    if "auto_renew" not in guess.columns or is_plain(guess.sheet, guess.table):
        return {"arr"}
    kit.questions.append(
        f"{guess.sheet.name}: {guess.columns['auto_renew']} is left out: if it is switched off when a customer leaves, "
        "it tells the past who will. If it is what was signed, add it to the query as auto_renew."
    )
    return {"arr", "auto_renew"}


def attributes(guess: Guess) -> Draft:
    """The attributes of a sheet of accounts, by its own ids."""
    columns = {
        name: column for name, column in guess.columns.items() if name not in ("account_id", "parent_account_id")
    }
    selected = "".join(f", {named(column)} AS {name}" for name, column in columns.items())
    parent = guess.columns.get("parent_account_id")
    selected += f", {named(parent)} AS parent" if parent else ""
    account = f"NULLIF(TRIM(CAST({named(guess.columns['account_id'])} AS VARCHAR)), '')"
    query = f"SELECT {account} AS id{selected}\nFROM {guess.sheet.relation}"
    names = (*columns, *(("parent",) if parent else ()))
    why = (f"By the names and contents of its columns; confidence {guess.confidence:.0%}.",)
    return Draft(f"accounts:{kind_of(guess)}", SOURCE, (guess.sheet.name,), query, names, why, guess.confidence)


def is_plain(sheet: Sheet, table: str) -> bool:
    """Whether a sheet already is a table of the contract, by its name and all its required columns."""
    return sheet.stem == table and {*contract.TABLES[table].required_names} <= {plain(name) for name in sheet.types}
