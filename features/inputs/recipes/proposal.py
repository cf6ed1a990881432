"""Puts the recipes together: which sheet is what, whose rows are whose, and the tables that come of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb

from features.inputs.files.locate import query_text
from features.inputs.files.source_reader import Rows, SourceReader
from features.inputs.recipes import unknown, usage_priced
from features.inputs.recipes.accounts_table import accounts_table
from features.inputs.recipes.habits import UNSURE, Habits
from features.inputs.recipes.identity import Identity, Link, resolve
from features.inputs.recipes.kit import Draft, Kit, Thing, account_part, tidied
from features.inputs.recipes.shape import Match, Shape, matches, second_copies
from features.inputs.recipes.sources import (
    chargebee,
    events,
    hubspot,
    intercom,
    recurly,
    salesforce,
    stripe,
    zendesk,
    zuora,
)
from features.inputs.recipes.survey import Sheet, Survey, source_in, survey
from features.tables import contract
from features.tables.database import open_duckdb
from features.tables.problems import BadInput, CannotOpen, Finding
from features.tables.scratch import scratch_folder
from params import Budget, Source

BILLING: Mapping[str, ModuleType] = {
    "chargebee": chargebee,
    "recurly": recurly,
    "zuora": zuora,
    "stripe": stripe,
}
OTHERS: Mapping[str, ModuleType] = {
    "salesforce": salesforce,
    "hubspot": hubspot,
    "zendesk": zendesk,
    "intercom": intercom,
}
ANALYTICS = ("segment", "mixpanel", "amplitude")
SOURCES = (*BILLING, *OTHERS, *ANALYTICS)
EVENTS = ("usage", "csm_actions", "engagement", "tickets", "surveys")


@dataclass(frozen=True)
class Proposal:
    """The mapping that is proposed, and all that is to be said of it."""

    survey: Survey
    matches: tuple[Match, ...]
    guesses: tuple[unknown.Guess, ...]
    left_out: tuple[Match, ...]
    tables: Mapping[str, Draft]
    rows: Mapping[str, int]
    parts: Mapping[str, str]
    links: tuple[Link, ...]
    currency: str
    currencies: Mapping[str, int]
    cuts: tuple[str, ...]
    questions: tuple[str, ...]
    usage_priced: bool
    until: date | None
    habits: Habits


@dataclass
class _Work:
    """What is being put together."""

    connection: duckdb.DuckDBPyConnection
    reader: SourceReader
    source: Source
    copies: Path
    habits: Habits
    parts: dict[str, str] = field(default_factory=dict)
    kits: dict[str, Kit] = field(default_factory=dict)

    @property
    def questions(self) -> list[str]:
        """What the files leave open."""
        return self.habits.questions

    @property
    def all_parts(self) -> dict[str, str]:
        """The parts that read sheets, and those made of them."""
        sheets = {name: part for kit in self.kits.values() for name, part in kit.sheet_parts().items()}
        return {name: tidied(part) for name, part in (sheets | self.parts).items()}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query as the settings would run it."""
        return self.reader.connection.execute(self._read(query).select).fetchall()

    def keep(self, name: str, query: str) -> None:
        """Keep what a query gives as a table of its own."""
        self._read(query).show_in(self.connection, "listing")
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM listing")

    def _read(self, query: str) -> Rows:
        source = self.source.model_copy(update={"parts": self.all_parts})
        return self.reader.rows(query_text(self.connection, source, "query", query, self.copies))


def propose(
    folder: Path,
    budget: Budget,
    *,
    only: Sequence[str] = (),
    as_usage_priced: bool = False,
    day_first: bool | None = None,
    decimal_comma: bool = False,
) -> Proposal:
    """Look at a folder or database and propose how to read it.

    Parameters
    ----------
    only
        The tools to look for; all where empty.
    as_usage_priced
        What is sold is a stream of purchases and no subscription: the ARR is that of the trailing quarter.
    day_first, decimal_comma
        As `source` of the settings has them: how days and numbers are read that no value of a column tells.

    Raises
    ------
    BadInput
        Nothing can be read, no accounts or no contracts can be made of it.
    """
    source = source_in(folder)
    with scratch_folder() as working, open_duckdb(budget) as connection:
        copies, habits = working / "copies", Habits(connection, day_first, decimal_comma)
        with SourceReader(source, budget, working, [copies]) as reader:
            seen = survey(folder, source, connection, reader, copies)
            return _propose(_Work(connection, reader, source, copies, habits), seen, only, as_usage_priced)


def _propose(work: _Work, seen: Survey, only: Sequence[str], as_usage_priced: bool) -> Proposal:
    recognised = _recognised(seen, only)
    used = [match for match in recognised if match.shape.is_read]
    rest = _rest(work, seen, recognised)
    work.kits |= {name: _kit(work, used, name) for name in SOURCES if any(match.shape.source == name for match in used)}
    sales = usage_priced.sales(work.habits, seen.sheets) if as_usage_priced else None
    sold = sales.sheet.name if sales else ""
    rest = [sheet for sheet in rest if sheet.name != sold]
    used = [match for match in used if match.sheet.name != sold]
    guessed = unknown.guesses(work.connection, rest)
    drafts, identity = _mapped(work, work.kits, guessed, sales)
    tables, counts = _tried(work, _tables(work, drafts, identity, bool(sales)))
    _require_both(tables, seen, work.questions)
    currencies = _currencies(work, tables)
    return Proposal(
        seen,
        tuple(used),
        tuple(guessed),
        tuple(match for match in recognised if not match.shape.is_read),
        tables,
        counts,
        _needed(work.all_parts, tables),
        tuple(identity.links),
        next(iter(currencies), "USD"),
        currencies,
        tuple(name for name in ("segment", "region", "csm") if name in tables["accounts"].columns),
        tuple(dict.fromkeys(work.questions)),
        bool(sales),
        _until(work, tables) if sales is None else None,
        work.habits,
    )


def _recognised(seen: Survey, only: Sequence[str]) -> tuple[Match, ...]:
    """The sheets of known tools; what is a table of the contract already is taken as that."""
    return matches([sheet for sheet in seen.sheets if not _is_ready(sheet)], _shapes(only))


def _rest(work: _Work, seen: Survey, recognised: Sequence[Match]) -> list[Sheet]:
    """The sheets that no recipe reads; a second export of the same list is none to guess at, but a question."""
    read = {name for match in recognised for name in match.sheet.names}
    rest = [sheet for sheet in seen.sheets if sheet.name not in read]
    copies = second_copies([sheet for sheet in rest if not _is_ready(sheet)], recognised)
    work.questions.extend(
        f"{name} looks like another export of what is in {other}, and is not read: which of the two is it?"
        for name, other in copies.items()
    )
    return [sheet for sheet in rest if sheet.name not in copies]


def _is_ready(sheet: Sheet) -> bool:
    return any(unknown.is_plain(sheet, table) for table in contract.TABLES)


def _shapes(only: Sequence[str]) -> list[Shape]:
    """The shapes of the tools to look for."""
    modules = [*BILLING.values(), *OTHERS.values()]
    shapes = [shape for module in modules for shape in (*module.SHAPES, *getattr(module, "PAYMENTS", ()))]
    return [shape for shape in (*shapes, *events.SHAPES) if not only or shape.source in only]


def _kit(work: _Work, used: Sequence[Match], source: str) -> Kit:
    matches_of_tool = {match.shape.name: match for match in used if match.shape.source == source}
    return Kit(source, matches_of_tool, work.habits, work.questions, work.parts)


def _recipes(source: str) -> tuple[Callable[[Kit], list[Thing]], Callable[[Kit], list[Draft]]]:
    if source in ANALYTICS:
        return events.of(source)
    module = {**BILLING, **OTHERS}[source]
    return module.things, module.drafts


def _mapped(
    work: _Work, kits: Mapping[str, Kit], guessed: Sequence[unknown.Guess], sales: "usage_priced.Sales | None"
) -> tuple[list[Draft], Identity]:
    """What each tool's recipe makes, once it is known whose rows are whose."""
    billing = [name for name in BILLING if name in kits]
    drafts: list[Draft] = []
    if sales is None:
        for name in billing:  # their parts say which customers there are
            drafts += _recipes(name)[1](kits[name])
    things = [thing for name in billing for thing in _recipes(name)[0](kits[name])] if sales is None else []
    things += [sales.thing()] if sales else []
    unknown_things = unknown.things(guessed)
    others = [thing for name in kits if name not in billing for thing in _recipes(name)[0](kits[name])]
    paying = any(guess.table == "contracts" for guess in guessed)
    unknown_first = paying or not any(thing.is_account for thing in others)
    things += [*unknown_things, *others] if unknown_first else [*others, *unknown_things]
    if not things:
        raise BadInput([_nothing("accounts", None, work.questions)])
    identity = resolve(things, work.keep, lambda query: work.connection.execute(query).fetchall())
    work.parts |= identity.parts
    work.questions.extend(identity.questions)
    resolved = {identity.home.kind, *(link.kind for link in identity.links)}
    for name, kit in kits.items():
        kit.resolved |= resolved
        drafts += [] if name in billing else _recipes(name)[1](kit)
    kit = Kit(unknown.SOURCE, {}, work.habits, work.questions, work.parts, resolved)
    drafts += unknown.drafts(kit, guessed)
    drafts += [unknown.attributes(guess) for guess in guessed if guess.table == "accounts"]
    drafts += [sales.draft(account_part(identity.home.kind))] if sales else []
    resolved_drafts = [draft for draft in drafts if ":" not in draft.table or draft.table.split(":")[1] in resolved]
    return resolved_drafts, identity


def _tables(work: _Work, drafts: Sequence[Draft], identity: Identity, is_usage_priced: bool) -> dict[str, Draft]:
    """One draft a table: contracts of one source alone, of all else the rows of all sources together."""
    tables: dict[str, Draft] = {}
    for name in contract.TABLES:
        candidates = [draft for draft in drafts if draft.table == name]
        if name == "contracts" and candidates:
            tables[name] = _one_that_bills(work, candidates, is_usage_priced)
        elif candidates:
            tables[name] = _together(candidates)
    return tables | {"accounts": accounts_table(drafts, identity)}


def _one_that_bills(work: _Work, candidates: Sequence[Draft], is_usage_priced: bool) -> Draft:
    """The contracts of the tool that bills; a second one would count the same revenue twice."""
    order = [usage_priced.SOURCE] * is_usage_priced + [*BILLING, unknown.SOURCE, *OTHERS]
    ranked = sorted(candidates, key=lambda draft: (order.index(draft.source), -draft.confidence))
    billing = [draft.source for draft in ranked if draft.source in BILLING]
    if len(billing) > 1:
        work.questions.append(
            f"contracts: {' and '.join(billing)} both bill; {billing[0]} is taken, since one may bill through the "
            f"other. Give --from {billing[1]} to take that one."
        )
    return ranked[0]


def _together(drafts: Sequence[Draft]) -> Draft:
    """The rows of several sources as one table."""
    if len(drafts) == 1:
        return drafts[0]
    columns = tuple(dict.fromkeys(column for draft in drafts for column in draft.columns))
    return Draft(
        drafts[0].table,
        ", ".join(dict.fromkeys(draft.source for draft in drafts)),
        tuple(dict.fromkeys(sheet for draft in drafts for sheet in draft.sheets)),
        "\nUNION ALL BY NAME\n".join(draft.query for draft in drafts),
        columns,
        tuple(dict.fromkeys(reason for draft in drafts for reason in draft.why)),
        min(draft.confidence for draft in drafts),
    )


def _tried(work: _Work, tables: Mapping[str, Draft]) -> tuple[dict[str, Draft], dict[str, int]]:
    """The tables whose query runs and gives rows, with how many; the others become questions."""
    kept, counts = {}, {}
    for name in contract.TABLES:
        if name not in tables:
            continue
        draft = tables[name]
        if work.habits.unsure & {*draft.sheets}:
            draft = replace(draft, confidence=min(draft.confidence, UNSURE))
        try:
            [(rows,)] = work.rows(f"SELECT count(*) FROM ({draft.query})")
        except (duckdb.Error, CannotOpen) as error:
            first = str(error).strip().splitlines()[0]
            work.questions.append(
                f"{name}: {', '.join(draft.sheets)} cannot be read as proposed, and is left out: {first}"
            )
            continue
        if not rows:
            work.questions.append(f"{name}: {', '.join(draft.sheets)} gives no row of a known account; left out.")
            continue
        kept[name], counts[name] = replace(draft, query=tidied(draft.query)), int(rows)
    return kept, counts


def _needed(parts: Mapping[str, str], tables: Mapping[str, Draft]) -> dict[str, str]:
    """The parts that the queries name, and those that these name."""
    needed: dict[str, str] = {}
    waiting = [draft.query for draft in tables.values()]
    while waiting:
        text = waiting.pop()
        for name, part in parts.items():
            if f"{{{name}}}" in text and name not in needed:
                needed[name] = part
                waiting.append(part)
    return {name: part for name, part in parts.items() if name in needed}


def _currencies(work: _Work, tables: Mapping[str, Draft]) -> dict[str, int]:
    """The currencies of the contracts with how many lines are in each; that of the reports first."""
    contracts = tables["contracts"]
    if "currency" not in contracts.columns:
        return {}
    rows = work.rows(
        f"SELECT UPPER(CAST(currency AS VARCHAR)) AS c, count(*) FROM ({contracts.query}) "
        "WHERE NULLIF(TRIM(CAST(currency AS VARCHAR)), '') IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    rated = set()
    if "fx_rates" in tables:
        rated = {name for (name,) in work.rows(f"SELECT DISTINCT UPPER(currency) FROM ({tables['fx_rates'].query})")}
    rows.sort(key=lambda row: row[0] in rated)  # the reporting currency is the one that needs no rate
    currencies = {str(name): int(count) for name, count in rows}
    _ask_rates(work, currencies, tables)
    return currencies


def _until(work: _Work, tables: Mapping[str, Draft]) -> date | None:
    """The day after the newest that the billing tool speaks of; None where other tables tell how far the data reach."""
    source = tables["contracts"].source
    if source not in BILLING or any(table in tables for table in EVENTS):
        return None
    months = "to_months(CAST(ROUND(COALESCE(term_months, 12 / per_year)) AS INTEGER))"
    period = f"CASE WHEN per_year > 12 THEN to_days(CAST(365 / per_year AS INTEGER)) ELSE {months} END"
    [(newest,)] = work.rows(
        f"SELECT greatest(max(created), max(notice), max(term_end - {period})::DATE) FROM {{{source}_pieces}}"
    )
    return newest + timedelta(days=1) if newest else None


def _ask_rates(work: _Work, currencies: Mapping[str, int], tables: Mapping[str, Draft]) -> None:
    currency, *others = currencies or [""]
    if others and "fx_rates" not in tables:
        work.questions.append(
            f"contracts are in {currency} and in {', '.join(others)}: add fx_rates.csv with the columns month, "
            f"currency and rate ({currency} per unit, a row a month and currency), and run init again."
        )


def _require_both(tables: Mapping[str, Draft], seen: Survey, questions: Sequence[str]) -> None:
    for name in ("contracts", "accounts"):
        if name not in tables:
            raise BadInput([_nothing(name, seen, questions)])


def _nothing(name: str, seen: Survey | None, questions: Sequence[str]) -> Finding:
    sheets = tuple(sheet.name for sheet in seen.sheets) if seen else ()
    todo = "Give exports of the tool that bills (subscriptions, plans or items), or a file of contract lines."
    asked = f" {' '.join(questions)}" if questions else ""
    return Finding(name, "cannot be made of what is there", todo + asked, examples=sheets[:5])
