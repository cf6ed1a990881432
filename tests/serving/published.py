"""A small company with awkward names, published in a real store with a real registry, and ways to ask the service.

The fixtures are those of several folders, so that `tests/conftest.py` registers them: they are made once for all.
"""

import asyncio
import dataclasses
import functools
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.revenue.cut_labels import labels_in_force
from features.snapshots.snapshot_files import stored
from features.tables.checked import Tables
from features.tables.opened import kept_open
from models.effects.action_effect import ActionEffect
from models.outcomes.outcome import OutcomeModel
from params import Params, load
from serving.access.tokens import Tokens
from serving.actions.effects_told import effects_told
from serving.actions.scenario_file import PRESETS
from serving.alerts.rule_scoring import longest_of, watch
from serving.desk.desk import Desk
from serving.forecast.batch import Forecast, forecast
from serving.forecast.declared.acting_tables import RECOMMENDED_ACTION
from serving.forecast.declared.column import Kind
from serving.forecast.declared.output_tables import FORECAST_BRIDGE
from serving.forecast.stored_effects import StoredEffects
from serving.kpis.customer_facts import customer_facts
from serving.ledger.record import DATABASE, open_record
from serving.publication import gather, publication_file
from serving.publication.insight_store import PAY
from serving.publication.insights import gather_insights
from serving.publication.on_record import put_on_record, read_track
from serving.publication.published_customers import CustomerFacts
from serving.publication.published_plays import Acting
from serving.service.api import create_app
from serving.service.guard import Guard
from training.learn.dataset import assemble, settings_of
from training.tracking.champion import load_champion
from training.tracking.evidence import Metric, Table
from training.tracking.model_card import model_card
from training.tracking.runs import record_run

AS_OF = date(2026, 1, 1)
MADE_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MONTHS = [day.date() for day in pd.date_range("2024-06-01", AS_OF, freq="MS")]
PASSED_UP = ("alerts.escalate.arr_at_risk_share=0.001", "alerts.escalate.group_arr_at_risk_share=0.001")
SMALL = (
    "model.learner=logistic",
    "model.horizon_months=6",
    "backtest.horizons=[3, 6]",
    "forecast.draws=100",
    "forecast.cuts=[segment, region, csm]",
    "serving.rescored_months=3",
    "serving.insight_quarters=1",
    "serving.poll_seconds=0.3",
    "serving.requests_per_minute=1000000",
)
AWKWARD = {
    1: "<script>alert(1)</script>",
    2: "Robert'); DROP TABLE account;--",
    3: '=HYPERLINK("http://x","y")',
    4: "Zürich & Søn 東京",
}
AWKWARD_IDS = {6: "a/06 é?#%", 8: "../a//08\t\x01"}
BOOKS = ("Ada A.", "Ben <b>B</b>", "Chloé C.")


def company() -> dict[str, pd.DataFrame]:
    """Account i starts in month i % 12 of 2023 and renews yearly; every fifth leaves at its second renewal.

    So do two more, without which there would be too few to learn from.
    """
    numbers = range(1, 61)
    accounts = [
        {
            "account_id": AWKWARD_IDS.get(i, f"a{i:02d}"),
            "name": AWKWARD.get(i, f"Company {i}"),
            "segment": ("small", "large")[i % 2],
            "region": ("North", "South", None)[i % 3],
            "csm": BOOKS[i % 3],
        }
        for i in numbers
    ]
    lines, usage, tickets = [], [], []
    for i, account in zip(numbers, accounts, strict=True):
        first = pd.Timestamp(2023, 1 + i % 12, 1)
        for year in range(_years(i)):
            starts = first + pd.DateOffset(years=year)
            lines.append(
                {
                    "contract_id": f"c{i:02d}-{year}",
                    "account_id": account["account_id"],
                    "product": "Core",
                    "starts_on": starts,
                    "ends_on": starts + pd.DateOffset(years=1),
                    "signed_on": starts - pd.Timedelta(days=10),
                    "mrr": 100.0 + i + (10 * year if i % 2 else 0),
                }
            )
        for day in pd.date_range("2024-01-05", "2025-12-28", freq="17D"):
            usage.append({"account_id": account["account_id"], "used_on": day, "user_id": f"u{i % 4}", "quantity": i})
        tickets.append({"account_id": account["account_id"], "opened_at": pd.Timestamp(2025, 1 + i % 12, 3)})
    contracts = pd.DataFrame(lines)
    known = contracts[contracts["signed_on"] < pd.Timestamp(AS_OF)]
    frames = {"accounts": pd.DataFrame(accounts), "contracts": known}
    return {**frames, "usage": pd.DataFrame(usage), "tickets": pd.DataFrame(tickets)}


def _years(account: int) -> int:
    """How many terms an account has."""
    return 2 if account % 5 == 0 or account in (49, 52) else 4


def a_bridge_to(made: Forecast) -> pd.DataFrame:
    """A bridge from a forecast that expected a tenth more of every account."""
    rows = made.account_forecast.query("horizon_months == 5").reset_index(drop=True)
    now = rows["expected_arr"].round(2)
    news = (-now / 10).round(2)
    money = {column.name: 0.0 for column in FORECAST_BRIDGE if column.kind is Kind.MONEY}
    about = {"from_as_of": pd.Timestamp("2025-12-01"), "from_run_id": "before", "target": pd.Timestamp("2026-06-01")}
    amounts = {"expected_before": (now - news).round(2), "news": news, "expected_now": now}
    return FORECAST_BRIDGE.shape(rows.assign(**about, **money | amounts, reason="What became known since."))


def plays_for(made: Forecast, tables: Tables) -> Acting:
    """Training for every account but one in ten, ranked by id within each book; the hours of all books."""
    rows = made.account_forecast.query("horizon_months == 5").reset_index(drop=True)
    book = labels_in_force(tables, made.as_of, ["csm"], load().budget)["csm"].reindex(rows["account_id"]).to_numpy()
    done = ~rows["account_id"].str.endswith("7").to_numpy()
    rows = rows.assign(
        csm=book, book=book, answer=np.where(done, "do", "nothing"), action=np.where(done, "training", ""), must_do="",
        rank=rows.groupby(book).cumcount() + 1, hours=done * 2.0, arr_saved=done * rows["arr"] / 100,
        low=done * rows["arr"] / 200, high=done * rows["arr"] / 50, arr_saved_per_hour=done * rows["arr"] / 200,
        evidence=np.where(done, "assumed", ""), probability_of_assignment=1.0, why="Its term ends soon.",
    )  # fmt: skip
    hours = {"hours": 40.0, "used": 20.0, "must_do_hours": 0.0, "shadow_price": 12.5, "accounts": 7}
    capacity = [{"csm": name, **hours} for name in sorted(set(book))]
    table = RECOMMENDED_ACTION.shape(rows)
    about = {"capacity": capacity, "notes": ["Sizes are assumed."], "definition": "ARR saved = .."}
    effects = effects_told(StoredEffects(made.as_of, "study-1", STUDIED), made.as_of)
    return Acting(table, about, [a_scenario(name) for name in PRESETS], effects, a_review(), a_holdout())


def a_review() -> dict[str, Any]:
    """A quarter with one process that went worse."""
    done = {"done": 61_234, "missed": 41, "kept_share": 0.9, "coverage": 0.8, "per_account_month": 0.3}
    effect = {"verdict": "helpful", "churn_points": -1.2, "low": -2.0, "high": -0.4, "conclusion": "It helps."}
    follows = {"kind": "training", "per_year": -3.6, "nrr_points": -1.5, "low": -2.1, "high": -0.9}
    return {
        "quarter": {"from": "2025-10-01", "to": "2026-01-01"},
        "quarter_before": {"from": "2025-07-01", "to": "2025-10-01"},
        "customers": 50,
        "measures": [
            {
                "measure": "cadence_kept", "unit": "share", "definition": "touches done in time", "now": 0.7654,
                "before": 0.8, "change": -0.0346, "went": "worse",
            }
        ],
        "processes": [{"level": "process", "kind": "onboarding", **done, "before": done, **effect}],
        "nrr": 0.91234,
        "horizon_months": 6,
        "follows": [{"change": "stopped", **follows, "mark": "assumed", "evidence": "estimated"}],
        "definition": "NRR is ..",
        "notes": [],
    }  # fmt: skip


def a_pay() -> dict[str, Any]:
    """Two plans for CSMs: the one in force and one that is weighed, each with everybody's pay."""
    shared = {
        "role": "csm", "lacking": "", "split": "80/20", "on_target_pay": 118_765.0, "clawback_months": 6,
        "expansion_credit": 0.25, "luck_share": 0.6321, "same_ranking": 0.54321, "steady_ranking": -0.123456,
        "notes": ["Replayed."], "cost": 345_678.9, "compared_cost": 334_455.6,
        "components": [
            {"measure": "nrr", "weight": 1.0, "threshold": 0.9, "target": 1.05, "at_threshold": 0.5, "accelerator": 1.0,
             "cap": 2.0, "floor": 0.0, "in_quarters": [1, 2, 3, 4]}
        ],
    }  # fmt: skip
    paid = {"quarters": 2, "on_target": 59_382.5, "clawback": 0.0, "compared_pay": 58_000.0, "outcome": "gains"}
    people = [
        {"person": name, **paid, "pay": 60_123.0 + 1_111 * place, "difference": 2_123.0 + 1_111 * place}
        for place, name in enumerate(BOOKS)
    ]
    plans = [
        {"name": "in force", **shared, "is_in_force": True, "compared_with": "paid", "compared_plan": "",
         "people": people},
        {"name": "of next year", **shared, "is_in_force": False, "compared_with": "plan", "compared_plan": "in force",
         "people": [row | {"pay": row["pay"] + 4_321} for row in people]},
    ]  # fmt: skip
    return {"lacking": "", "definition": "Pay is ..", "plans": plans}


def a_holdout() -> dict[str, Any]:
    """A holdout that is off, with what it would cost and could show."""
    plan = {
        "share": 0.1, "outcome_months": 6, "eligible": 41_327, "withheld": 4_133, "arr_eligible": 9_876_543.0,
        "arr_withheld": 987_654.0, "excluded": {"must be tended to": 31_415}, "arr_at_stake": 54_321.5,
        "arr_at_stake_low": 43_210.5, "arr_at_stake_high": 65_432.5, "churn": 0.123456, "take_up": 0.5,
        "take_up_is_assumed": True, "detectable_points": 12.34567, "expected_points": -0.98765,
        "kinds": {"training": 41_327},
    }  # fmt: skip
    return {"status": "off", "note": "", "quarter": "2026-01-01", "enrolled": 0, "withheld": 0, "plan": plan,
            "results": None}  # fmt: skip


_OF_A_STUDY: dict[str, Any] = {"level": "action", "missed_rows": 40, "decay": 0.9, "allowance": 0.1}
STUDIED = (
    ActionEffect(
        **_OF_A_STUDY, action="training", treated_rows=91_234, treated_accounts=4_321, verdict="helpful",
        evidence="good", reason="the whole interval lies below 0", rows_needed=40_000, logit=-0.3, logit_se=0.05,
        logit_low=-0.5, logit_high=-0.1, pooled_logit=-0.28, pooled_se=0.05, churn_points=-1.2, se=0.2, low=-2.0,
        high=-0.4, expansion_points=0.5, arr_points=0.9, refuters={"overlap": 0.8, "passed": True, "failed": []},
    ),
    ActionEffect(
        **_OF_A_STUDY, action="dinner", treated_rows=120, treated_accounts=60, verdict="not known",
        evidence="none yet", reason="it was done in 120 account-months of 60 accounts", rows_needed=7_000,
    ),
)  # fmt: skip


def a_scenario(name: str) -> dict[str, Any]:
    """A preset that makes all a little worse."""
    figures = {"mean": 0.9, "p10": 0.8, "p90": 1.0}
    return {
        "as_of": AS_OF.isoformat(),
        "model_version": "1",
        "currency": "USD",
        "metric": "nrr",
        "horizon_months": 6,
        "accounts": 50,
        "base": figures,
        "scenario": {"name": name, "meaning": "Worse.", **figures},
        "difference": dict.fromkeys(figures, -0.01),
        "marks": [{"lever": "market", "mark": "assumed", "text": "Worse."}],
        "rows": [],
        "definition": "The same futures.",
    }


@dataclasses.dataclass(frozen=True)
class Place:
    """A data folder with tables, a champion and a publication."""

    params: Params
    tables: Tables
    model: OutcomeModel

    def record(self) -> str:
        """Register the model once more, as the new champion; returns the version."""
        evidence = [
            Metric("churn_3m_has_skill", 1.0),
            Table("importance_churn", pd.DataFrame({"index": ["arr"], "mean_abs_log_odds": [0.5]})),
        ]
        return record_run(self.model, evidence, tables=self.tables, as_of=AS_OF, params=self.params).version

    def publish(self, as_of: date = AS_OF, *, bridge: bool = True, facts: bool = True) -> Path:
        """Publish a forecast by the champion, with plays and facts about the business or without."""
        with kept_open(self.tables, self.params.budget) as tables:
            return dataclasses.replace(self, tables=tables)._publish(as_of, bridge=bridge, facts=facts)

    def _publish(self, as_of: date, *, bridge: bool, facts: bool) -> Path:
        champion = load_champion(self.params)
        made = forecast(self.tables, champion, as_of=as_of, params=self.params, made_at=MADE_AT)
        card = model_card(self.params, champion)
        past = put_on_record(self.tables, champion, made, params=self.params, code_version="of tests")
        past = dataclasses.replace(past, bridge=a_bridge_to(made)) if bridge else past
        with open_record(self.params) as record:
            watch(self.tables, as_of, self.params, record, longest_of(made.account_forecast))
        gathered = gather.gather(
            self.tables, champion, made, params=self.params, card=card, past=past, track=read_track(self.params),
            acting=plays_for(made, self.tables) if facts else None,
            insights=gather_insights(self.tables, as_of, self.params, champion=champion) | {PAY: a_pay()}
            if facts
            else None,
            customers=CustomerFacts(*customer_facts(self.tables, as_of, self.params)) if facts else None,
        )  # fmt: skip
        return publication_file.write(gathered, publication_file.folder_of(self.params.data_dir))

    def called(self, names: Sequence[str], data: Path) -> "Place":
        """The same company published elsewhere: accounts of today are called so, as are their ids and their CSMs."""
        shutil.copytree(self.params.data_dir, data, ignore=shutil.ignore_patterns("serving", "record*", "tables*"))
        frames = company()
        staying = [row for row in frames["accounts"].index if _years(row + 1) == 4]
        ids = dict(zip(frames["accounts"]["account_id"][staying], names, strict=False))
        for name in ("account_id", "name", "csm"):
            frames["accounts"].loc[staying[: len(names)], name] = list(names)
        for name in ("contracts", "usage", "tickets"):
            frames[name]["account_id"] = frames[name]["account_id"].replace(ids)
        tables = tables_from_frames(frames, data / "tables.duckdb", data_until=AS_OF)
        renamed = Place(self.params.model_copy(update={"data_dir": data}), tables, self.model)
        renamed.publish()
        return renamed


def as_published(folder: Path) -> Path:
    """The record as it was when the company was published, beside its folder."""
    return folder.with_name(f"{folder.name}-record.sqlite")


def make_place(folder: Path) -> Place:
    params = load(overrides=[f"data_dir={folder}", *SMALL, *PASSED_UP])
    tables = tables_from_frames(company(), folder / "tables.duckdb", data_until=AS_OF)
    dataset = assemble(tables, stored(tables, MONTHS, params=params), as_of=AS_OF, params=params)
    model = OutcomeModel(dataset.inputs, settings_of(params)).fit(dataset.frame, dataset.paths, dataset.streams)
    place = Place(params, tables, model)
    place.record()
    place.publish()
    shutil.copy(folder / DATABASE, as_published(folder))  # before anybody writes into it
    return place


@pytest.fixture(scope="session")
def small_settings() -> tuple[str, ...]:
    return SMALL


@pytest.fixture(scope="session")
def place(costly: None, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("place"))


class Client:
    """Asks an application as a browser or a tool would, without a socket."""

    def __init__(
        self, app: Any, *, client: str = "127.0.0.1", base: str = "http://127.0.0.1:3000", **headers: str
    ) -> None:
        self._app, self._client, self._base, self._headers = app, client, base, headers

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._ask(method, path, more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self("POST", path, **more)

    async def _ask(self, method: str, path: str, more: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app, client=(self._client, 50000))
        headers = {**self._headers, **more.pop("headers", {})}
        async with httpx.AsyncClient(transport=transport, base_url=self._base) as asking:
            return await asking.request(method, path, headers=headers, **more)


@dataclasses.dataclass
class Service:
    """One worker's application behind its guard."""

    desk: Desk
    guarded: Guard

    def client(self, token: str | None = None, **more: Any) -> Client:
        """From this machine; an admin unless a token is given."""
        return Client(self.guarded, authorization=f"Bearer {token or self.admin}", **more)

    def stranger(self, **more: Any) -> Client:
        """From this machine, without anything that says who it is."""
        return Client(self.guarded, **more)

    def remote(self, token: str | None = None, **headers: str) -> Client:
        """From another machine."""
        sent = {"authorization": f"Bearer {token}"} if token else {}
        return self.stranger(client="10.0.0.9", base="http://holdfast.example:3000", **sent, **headers)

    @functools.cached_property
    def admin(self) -> str:
        return self.token("admin")

    def token(self, role: str, csm: str | None = None) -> str:
        return self.desk.tokens.issue(f"{role} {csm or ''}".strip(), role, csm)[1]  # type: ignore[arg-type]


def make_service(params: Params, **changes: Any) -> Service:
    serving = params.serving.model_validate({**params.serving.model_dump(), **changes})
    desk = Desk(params.model_copy(update={"serving": serving}))
    app = create_app(desk)
    return Service(desk, Guard(app, desk, app))


@pytest.fixture(scope="session")
def service(place: Place) -> Service:
    made = make_service(place.params)
    made.desk.following.look()
    assert made.desk.following.state.scorer is not None
    return made


@pytest.fixture
def fresh(place: Place, service: Service) -> Callable[..., Service]:
    """Makes services with other settings, that answer from the same publication."""
    return lambda **changes: _like(service, place.params, changes)


@pytest.fixture
def untouched(place: Place, service: Service, tmp_path: Path) -> Callable[..., Service]:
    """The same, where nobody has been issued a token and nothing is in the audit log."""
    params = place.params.model_copy(update={"data_dir": tmp_path / "data"})
    return lambda **changes: _like(service, params, changes)


@pytest.fixture
def writing(untouched: Callable[..., Service], place: Place) -> Service:
    """The same, with a record of its own."""
    service = untouched()
    folder = service.desk.params.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(as_published(place.params.data_dir), folder / DATABASE)
    return service


def _like(service: Service, params: Params, changes: dict[str, Any]) -> Service:
    """A service of its own that has at hand what another has read already."""
    made = make_service(params, **changes)
    made.desk.following.state = service.desk.following.state
    return made


@pytest.fixture(scope="session")
def service_of() -> Callable[..., Service]:
    """Makes services with settings of their own, that have not looked yet."""
    return make_service


class Server:
    """`holdfast serve` as a process of its own."""

    def __init__(self, place: Place, log: Path, *settings: str) -> None:
        self.place, self.log, self.token = place, log, ""
        chosen = (f"data_dir={place.params.data_dir}", *SMALL, "serving.port=0", *settings)
        options = [part for setting in chosen for part in ("--set", setting)]
        command = [sys.executable, "-m", "holdfast", "serve", "--json", *options]
        with log.open("w") as stream:
            self.process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True)
        self.until(lambda: '"publication"' in self.log.read_text(), "it has said where it listens")
        self.start: dict[str, Any] = json.JSONDecoder().raw_decode(self.log.read_text())[0]
        self.url = str(self.start["url"])
        self.host, self.port = "127.0.0.1", int(self.url.rsplit(":", 1)[1])
        self.until(lambda: self.ask("GET", "/readyz")[0] == 200, "a worker has a model")

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert self.process.poll() is None, f"it stopped: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < end, f"waited {seconds} s until {what}: {self.log.read_text()[-2000:]}"
            time.sleep(0.2)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """One request on a connection of its own; 0 if there was no answer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, body, {**self.headers, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    @property
    def headers(self) -> dict[str, str]:
        signed_in = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return {"content-type": "application/json", **signed_in}

    def stop(self) -> None:
        """Stop it with its workers, which killing it would leave behind."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)


class Running(Server):
    """The same with two workers and a token."""

    def __init__(self, place: Place, log: Path) -> None:
        _, token = Tokens(publication_file.folder_of(place.params.data_dir)).issue("tests", "admin")
        super().__init__(place, log, "serving.workers=2")
        self.token = token
        self.until(lambda: len(self.versions()) == 2 and all(self.versions().values()), "both workers have a model")

    def gauge(self, name: str) -> dict[int, float]:
        """A gauge of each worker, by process id."""
        status, text = self.ask("GET", "/metrics")
        found = re.findall(rf'^{name}{{pid="(\d+)"}} (\S+)$', text.decode(), re.M) if status == 200 else []
        return {int(pid): float(value) for pid, value in found}

    def versions(self) -> dict[int, float]:
        return self.gauge("holdfast_worker_model_version")

    def memory_mb(self) -> float:
        """Of both workers."""
        pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.versions()]
        return sum(pages) * 4096 / 1e6


class Load:
    """Two callers that ask without pause over kept connections.

    Every request here is a read, which HTTP allows to be sent once more on a new connection when the old one breaks
    before an answer (RFC 9110, 9.2.2); such repeats are counted.
    """

    REQUESTS = (
        ("POST", "/api/score", json.dumps({"account_ids": ["a02", "a07", "a33"]}).encode()),
        ("GET", "/accounts?sort=name", None),
        ("POST", "/api/live", json.dumps({"accounts": [{"account_id": "a02"}]}).encode()),
        ("GET", "/api/nrr?metric=nrr", None),
    )

    def __init__(self, running: Any) -> None:
        self._running, self._stop = running, threading.Event()
        self.statuses: Counter[int] = Counter()
        self.failed: list[str] = []
        self.repeated = 0
        self.refused = 0
        self._threads = [threading.Thread(target=self._ask_on, args=(n,)) for n in range(2)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask_on(self, number: int) -> None:
        connection = http.client.HTTPConnection(self._running.host, self._running.port, timeout=30)
        while not self._stop.is_set():
            method, path, body = self.REQUESTS[number % len(self.REQUESTS)]
            number += 1
            for last in (False, True):
                try:
                    connection.request(method, path, body, self._running.headers)
                    answer = connection.getresponse()
                    answer.read()
                    self.statuses[answer.status] += 1
                    break
                except ConnectionRefusedError:
                    self.refused += 1
                    return
                except (OSError, http.client.HTTPException) as error:
                    connection.close()
                    self.repeated += 1
                    if last:
                        self.failed.append(f"{method} {path}: {type(error).__name__}")
        connection.close()


@pytest.fixture(scope="session")
def running(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests; at the end it is stopped while it works, and must finish what it has begun."""
    folder = tmp_path_factory.mktemp("running")
    shutil.copytree(place.params.data_dir, folder / "data")
    params = place.params.model_copy(update={"data_dir": folder / "data"})
    made = Running(dataclasses.replace(place, params=params), folder / "serve.log")
    try:
        yield made
        many = {"accounts": [{"account_id": "a02"}] * 300}
        with ThreadPoolExecutor() as pool:
            slow = pool.submit(made.ask, "POST", "/api/live", json.dumps(many).encode())
            time.sleep(0.1)
            assert not slow.done()
            made.process.send_signal(signal.SIGTERM)
            assert slow.result()[0] == 200
        assert made.process.wait(timeout=30) == 0
    finally:
        made.kill()


@pytest.fixture(scope="session")
def under_load(running: Running) -> Callable[[], Load]:
    return lambda: Load(running)


def without_tokens(place: Place, data: Path) -> Place:
    """A copy in which nobody has been issued a token, and nothing is in the audit log."""
    shutil.copytree(place.params.data_dir, data)
    folder = publication_file.folder_of(data)
    for name in ("tokens.json", "sessions.json"):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "audit", ignore_errors=True)
    return dataclasses.replace(place, params=place.params.model_copy(update={"data_dir": data}))


@pytest.fixture(scope="session")
def prefixed(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that a proxy has below a path, and for which nobody has a token."""
    folder = tmp_path_factory.mktemp("prefixed")
    copy = without_tokens(place, folder / "data")
    made = Server(copy, folder / "serve.log", "serving.workers=1", "serving.base_path=/holdfast")
    try:
        yield made
        made.stop()
    finally:
        made.kill()
