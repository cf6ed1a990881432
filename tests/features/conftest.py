"""A small company whose rows come late, are corrected, have gaps, and are overwritten in place."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.inputs.load import Loaded, load_tables
from features.snapshots.building import Snapshots, build
from features.tables.checked import Tables
from params import Budget

Rows = dict[str, list[dict[str, Any]]]
KINDS = ("renewal", "upsell", "downsell", "price_change", "price_change")
FIRST, UNTIL = date(2022, 1, 1), date(2024, 4, 1)
AUTUMN = date(2023, 9, 1)
PARTS = tuple(f"Part {number}" for number in range(80))  # more than the bits of one whole number


class Company:
    """Draws the rows of a few accounts; every table has `recorded_at`, empty in most rows."""

    def __init__(self, seed: int, accounts: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.accounts = [f"account {number}" for number in range(accounts)]

    def rows(self) -> Rows:
        tables = {
            "usage": (60, self.usage),
            "csm_actions": (12, self.csm_action),
            "goals": (3, self.goal),
            "engagement": (12, self.engagement),
            "tickets": (12, self.ticket),
            "surveys": (10, self.survey),
            "contacts": (6, self.contact),
            "calls": (3, self.call),
        }
        rows: Rows = {
            name: [
                {"account_id": account, **self.recorded(draw()), "row": index}
                for account in self.accounts
                for index in range(number)
            ]
            for name, (number, draw) in tables.items()
        }
        for name in tables:
            for number, row in enumerate(rows[name]):
                row.pop("row")
                if name == "contacts":
                    row["contact_id"] = f"contact {number}"
        rows["usage"] += [row for account in self.accounts for row in self.busy_autumn(account)]
        rows["accounts"] = [row for account in self.accounts for row in self.account(account)]
        rows["contracts"] = [row for account in self.accounts for row in self.contracts(account)]
        rows["fx_rates"] = [
            {"month": month.date(), "currency": "EUR", "rate": 1 + month.month / 64}
            for month in pd.date_range("2021-12-01", "2024-06-01", freq="MS")
        ]
        self.more = np.random.default_rng(1)  # of what came later, so that the rows before stay as they were
        for enrich in (self.with_plans, self.with_tasks, self.with_users, self.with_sent):
            enrich(rows)
        return rows

    def draw(self, *options: Any) -> Any:
        return options[self.more.integers(len(options))]

    def after(self, day: date, days: int) -> date:
        return day + timedelta(days=int(self.more.integers(days)))

    def with_plans(self, rows: Rows) -> None:
        for row in rows["accounts"]:
            row |= {name: self.draw("text", None) for name in ("pain", "impact", "decision_criteria", "critical_event")}
            row["use_case"] = self.draw("reports", "plans", None)
            row["critical_event_on"] = self.draw(self.after(date(2023, 1, 1), 700), None)
            row["potential_seats"] = self.draw(20, 50, None)

    def with_tasks(self, rows: Rows) -> None:
        """Goals that are measured, and tasks of both sides; some tasks lack a day, some became known late."""
        for row in rows["goals"]:
            row |= {"baseline_value": self.draw(10.0, 20.0, None), "target_value": self.draw(30.0, 5.0)}
            measured = self.draw(self.after(row["set_on"], 300), self.after(row["set_on"], 300), None)
            row |= {"updated_on": measured, "current_value": self.draw(8.0, 12.5, 40.0) if measured else None}
            row |= {"owner_side": None, "milestone_of": None}
        for account in self.accounts:
            for _ in range(8):
                agreed = self.after(FIRST, 700)
                rows["goals"].append({
                    "account_id": account, "set_on": self.draw(agreed, agreed, agreed, None), "goal": "task",
                    "recorded_at": self.draw(None, None, None, self.after(agreed, 60)), "horizon": "other",
                    "due_on": self.draw(self.after(agreed, 90), self.after(agreed, 90), None),
                    "achieved_on": self.draw(self.after(agreed, 200), None), "milestone_of": "goal",
                    "owner_side": self.draw("customer", "Vendor", "customer", None), "baseline_value": None,
                    "target_value": None, "updated_on": None, "current_value": None,
                })  # fmt: skip

    def with_users(self, rows: Rows) -> None:
        contacts = {
            account: [row for row in rows["contacts"] if row["account_id"] == account] for account in self.accounts
        }
        for row in rows["contacts"]:
            row |= {
                "user_id": self.draw("ann", "bob", "cy", "gone", None),
                "department": self.draw("IT", " it", "HR", None),
            }
        for row in rows["engagement"]:
            if row["contact_id"] is not None:
                row["contact_id"] = contacts[row["account_id"]]["xyz".index(row["contact_id"])]["contact_id"]

    def with_sent(self, rows: Rows) -> None:
        """Surveys that were sent before they were answered, some recorded in between, and some nobody answered."""
        for row in rows["surveys"]:
            sent = row["responded_on"] - timedelta(days=int(self.more.integers(40)))
            row["sent_on"] = self.draw(sent, sent, None)
            if row["sent_on"] and self.more.random() < 0.2:
                row["recorded_at"] = self.after(sent, 1 + (row["responded_on"] - sent).days)
        for account in self.accounts:
            for _ in range(6):
                sent = self.after(FIRST, 800)
                rows["surveys"].append({
                    "account_id": account, "responded_on": None, "kind": "nps", "score": None, "sent_on": sent,
                    "respondent_role": self.draw("Decision maker", "user", None),
                    "recorded_at": self.draw(None, None, self.after(sent, 30)),
                })  # fmt: skip

    def day(self, first: date = FIRST, last: date = UNTIL) -> date:
        return first + timedelta(days=int(self.rng.integers((last - first).days)))

    def later(self, day: date, days: int) -> date:
        return day + timedelta(days=int(self.rng.integers(days)))

    def pick(self, *options: Any) -> Any:
        return options[self.rng.integers(len(options))]

    def recorded(self, row: dict[str, Any]) -> dict[str, Any]:
        """One row in four came late by up to 60 days."""
        event = next(value for value in row.values() if isinstance(value, date))
        late = self.rng.random() < 0.25
        return row | {"recorded_at": self.later(event, 60) if late else None}

    def usage(self) -> dict[str, Any]:
        return {
            "used_on": self.day(),
            "feature": self.pick("Search", " search", "export", *PARTS, None),
            "user_id": self.pick("ann", "bob", "cy", "dee", "eve", None),
            "quantity": self.pick(0, 0.25, 1.5, 3, None),
        }

    def busy_autumn(self, account: str) -> list[dict[str, Any]]:
        """Two users on many days of one autumn; a few of the days became known later, some of them together."""
        days = [AUTUMN + timedelta(days=int(day)) for day in self.rng.choice(70, 56, replace=False)]
        return [
            {
                "account_id": account,
                "used_on": day,
                "recorded_at": self.pick(None, None, None, self.later(day, 40), date(2023, 10, 20), date(2023, 11, 3)),
                "feature": self.pick("export", *PARTS),
                "user_id": self.pick("ann", "bob"),
                "quantity": self.pick(0, 0.5, 2, None),
            }
            for day in days
        ]

    def csm_action(self) -> dict[str, Any]:
        acted = self.day()
        return {
            "acted_on": acted,
            "action": "call",
            "process": self.pick("onboarding", "Success Plan", "retention", "expansion", "advocacy", None),
            "playbook": self.pick("one", "two", None),
            "status": self.pick("done", "done", "missed", "planned", None),
            "planned_on": self.pick(acted - timedelta(days=int(self.rng.integers(20))), None),
            "csm": ("Ann", "Bo", "Cy", "Di", None)[acted.toordinal() % 5],
        }

    def goal(self) -> dict[str, Any]:
        agreed = self.day()
        return {
            "set_on": agreed,
            "goal": "goal",
            "horizon": self.pick("first_value", "twelve_month", "other"),
            "due_on": self.pick(self.later(agreed, 90), None),
            "achieved_on": self.pick(self.later(agreed, 200), None),
        }

    def engagement(self) -> dict[str, Any]:
        kind = self.pick(
            "meeting", "QBR", "training", "webinar", "community", "event", "self-help", "referral", "email", "reference"
        )
        return {"happened_on": self.day(), "kind": kind, "contact_id": self.pick("x", "y", "z", None)}

    def ticket(self) -> dict[str, Any]:
        opened = self.day()
        hour = timedelta(hours=1)
        answered = self.pick(pd.Timestamp(opened) + int(self.rng.integers(600)) * hour, None)
        resolved = self.pick(pd.Timestamp(opened) + int(self.rng.integers(2000)) * hour, None)
        return {
            "opened_at": pd.Timestamp(opened),
            "first_response_at": answered,
            "resolved_at": resolved,
            "severity": self.pick("1", "4", "High", "low", "urgent", None),
        }

    def survey(self) -> dict[str, Any]:
        return {
            "responded_on": self.day(),
            "kind": self.pick("nps", "nps", "nps", "csat", "csat", "ces"),
            "score": float(self.rng.integers(1, 10)),
            "respondent_role": self.pick("Decision maker", "sponsor", "user", None),
        }

    def contact(self) -> dict[str, Any]:
        joined = self.day(last=date(2023, 6, 1))
        return {
            "joined_on": joined,
            "role": self.pick("champion", "executive_sponsor", "decision maker", "user"),
            "side": self.pick("customer", "vendor", None),
            "left_on": self.pick(self.later(joined, 500), None),
        }

    def call(self) -> dict[str, Any]:
        return {"called_on": self.day(), "outcome": self.pick("churn", "renew", "contract", "expand")}

    def account(self, account: str) -> list[dict[str, Any]]:
        """Attributes and a change of them, one of which became known late."""
        changed = self.day(date(2023, 3, 1))
        base = {
            "account_id": account,
            "segment": self.pick("small", "large"),
            "name": account,
            "industry": self.pick("banks", "shops"),
            "region": self.pick("north", "south", None),
            "touch_model": self.pick("high", "tech"),
            "fit": self.pick("good", "bad"),
            "technical_fit": 0.25,
        } | {f"{name}_fit": self.pick(0.5, 0.75, None) for name in ("functional", "experience", "support", "buy_in")}
        return [
            base | {"valid_from": date(2021, 12, 1), "recorded_at": None, "customer_since": self.pick(FIRST, None)},
            base | {"valid_from": changed, "recorded_at": self.pick(None, self.later(changed, 60)),
                    "segment": self.pick("moved", "large", None), "technical_fit": 0.75, "customer_since": None,
                    "fit": "stretch", "region": "moved"},
        ]  # fmt: skip

    def contracts(self, account: str) -> list[dict[str, Any]]:
        """Terms of one product that follow one another (some late), an evergreen one beside them, corrections."""
        start = self.day(date(2022, 1, 1), date(2022, 6, 1))
        lines = [self.line(account, 0, "main", start, None)]
        while lines[-1]["ends_on"] < UNTIL and self.rng.random() < 0.85:
            gap = timedelta(days=int(self.pick(0, 0, 12, 50)))
            lines.append(self.line(account, len(lines), "main", lines[-1]["ends_on"] + gap, lines[-1]))
        if self.rng.random() < 0.8:
            beside = self.line(account, 90, "side", self.day(start, date(2023, 9, 1)), None)
            lines.append(beside | {"ends_on": None, "kind": "cross_sell", "notice_on": None})
        corrected = [
            line | {"mrr": line["mrr"] + 7, "recorded_at": self.later(line["starts_on"], 300) + timedelta(days=1)}
            for line in lines
            if self.rng.random() < 0.4
        ]
        return lines + corrected

    def line(
        self, account: str, number: int, product: str, starts: date, before: dict[str, Any] | None
    ) -> dict[str, Any]:
        ends = starts + timedelta(days=int(self.pick(91, 182, 365)))
        early = self.rng.random() < 0.15
        notice = early or self.rng.random() < 0.15
        return {
            "contract_id": f"{account} {number}",
            "account_id": account,
            "product": product,
            "buying_center": product,
            "kind": "new"
            if before is None
            else self.pick("renewal", "upsell", "downsell", "price_change", "price_change"),
            "starts_on": starts,
            "ends_on": ends,
            "ended_on": starts + timedelta(days=60) if early else None,
            "signed_on": self.pick(starts - timedelta(days=int(self.rng.integers(60))), None),
            "notice_on": starts + timedelta(days=40) if notice else None,
            "mrr": int(self.rng.integers(50, 200)),
            "list_mrr": self.pick(250, None),
            "seats": self.pick(5, 10, None),
            "auto_renew": self.pick(True, False, None),
            "currency": "EUR" if product == "side" else self.pick("USD", None),
            "recorded_at": None,
        }


@pytest.fixture(scope="session")
def company() -> Rows:
    return Company(seed=14, accounts=14).rows()


def store_rows(rows: Rows, file: Path, **more: Any) -> Tables:
    frames = {name: pd.DataFrame(table, dtype=object) for name, table in rows.items()}
    return tables_from_frames(frames, file, data_until=UNTIL, **more)


@pytest.fixture(scope="session")
def store(costly: None) -> Callable[..., Tables]:
    """Stores rows as checked tables in a file."""
    return store_rows


@pytest.fixture(scope="session")
def company_tables(costly: None, company: Rows, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The company as checked tables, stored once; nobody writes to them."""
    return store_rows(company, tmp_path_factory.mktemp("company") / "tables.duckdb")


@pytest.fixture
def checked(costly: None, tmp_path: Path) -> Callable[[Rows], Tables]:
    """Stores rows as checked tables."""
    made = []

    def store(rows: Rows, **more: Any) -> Tables:
        made.append(0)
        return store_rows(rows, tmp_path / f"{len(made)}.duckdb", **more)

    return store


@pytest.fixture
def snapshots_of() -> Callable[..., Snapshots]:
    """Builds snapshots with the default settings."""
    defaults = params.load()

    def snapshots(tables: Tables, dates: list[date], *, threads: int = 1) -> Snapshots:
        settings = {"revenue": defaults.revenue, "settings": defaults.snapshots}
        return build(tables, dates, **settings, budget=Budget(threads, 0.5))

    return snapshots


class Source:
    """A folder of input tables that pass the check, to be spoilt; a table's text has ` / ` between its lines."""

    def __init__(self, home: Path) -> None:
        self.folder, self.data_dir = home / "in", home / "out"
        self.folder.mkdir()
        self.write("accounts", "account_id,segment,valid_from / a,small,2023-01-01 / b,large,2023-01-01")
        self.write(
            "contracts",
            "contract_id,account_id,starts_on,ends_on,mrr / 1,a,2024-01-01,2025-01-01,100 / 2,b,2024-03-01,,50",
        )

    def write(self, name: str, text: str, *, suffix: str = ".csv", encoding: str = "utf-8") -> None:
        (self.folder / f"{name}{suffix}").write_text(text.replace(" / ", "\n") + "\n", encoding=encoding)

    def load(self, *overrides: str, **tables: dict[str, Any]) -> Loaded:
        """Load with these settings laid over the defaults; keywords are entries of `source.tables`."""
        return load_tables(self.params(*overrides, **tables))

    def params(self, *overrides: str, **tables: dict[str, Any]) -> params.Params:
        """These settings laid over the defaults."""
        base = ["source.kind=files", f"source.path={self.folder}", f"data_dir={self.data_dir}"]
        maps = [f"source.tables.{name}={json.dumps(setting)}" for name, setting in tables.items()]
        return params.load(None, [*base, *maps, *overrides])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query of the stored tables, without the keys that the engine works on."""
        with duckdb.connect(str(self.data_dir / "tables.duckdb"), read_only=True) as connection:
            found = connection.execute(query)
            shown = [place for place, column in enumerate(found.description or ()) if not column[0].endswith("_key")]
            return [tuple(row[place] for place in shown) for row in found.fetchall()]


@pytest.fixture
def source(costly: None, tmp_path: Path) -> Source:
    return Source(tmp_path)


class Emitted:
    """Statements on their way to the database, some of their texts replaced: what a mutant of the engine emits.

    It stands between the engine and the sessions that `Tables` opens, so that mutants name what is emitted and not the
    code that emits it.
    """

    def __init__(self) -> None:
        self._mutants: list[tuple[re.Pattern[str], str, re.Pattern[str]]] = []
        self._seen: set[int] = set()

    def replace(self, old: str, new: str, *, within: str = "") -> None:
        """From now on `old` becomes `new` in each statement that holds the pattern `within`."""
        self.sub(re.escape(old), new.replace("\\", r"\\"), within=within)

    def sub(self, pattern: str, new: str, *, within: str = "") -> None:
        """The same of all that matches a pattern."""
        self._mutants.append((re.compile(pattern), new, re.compile(within)))

    def spoilt(self, statement: Any) -> Any:
        """A statement as the mutants emit it; one that was parsed before was spoilt then."""
        if not isinstance(statement, str):
            return statement
        sound = statement
        for number, (old, new, within) in enumerate(self._mutants):
            if within.search(sound) and old.search(sound):
                self._seen.add(number)
                statement = old.sub(new, statement)
        return statement

    def unseen(self) -> list[str]:
        """What no statement held."""
        return [old.pattern for number, (old, *_) in enumerate(self._mutants) if number not in self._seen]


class Spoilt:
    """A connection that takes its statements through `Emitted`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, emitted: Emitted) -> None:
        self._connection, self._emitted = connection, emitted

    def execute(self, statement: Any, *more: Any) -> Any:
        return self._connection.execute(self._emitted.spoilt(statement), *more)

    def sql(self, select: str) -> Any:
        return self._connection.sql(self._emitted.spoilt(select))

    def extract_statements(self, text: str) -> Any:
        return self._connection.extract_statements(self._emitted.spoilt(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> "Spoilt":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emitted]:
    """The statements of all sessions of checked tables; a mutant that changed none of them is an error."""
    mutants = Emitted()

    def spoil(sound: Callable[..., duckdb.DuckDBPyConnection]) -> Callable[..., Spoilt]:
        return lambda *args, **more: Spoilt(sound(*args, **more), mutants)

    for name in ("connect", "connect_keyed"):
        monkeypatch.setattr(Tables, name, spoil(getattr(Tables, name)))
    yield mutants
    assert not mutants.unseen(), "no statement holds this any more: rewrite the mutant"
