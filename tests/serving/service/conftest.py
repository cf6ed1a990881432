"""A small company with awkward names, published in a real store with a real registry, and ways to ask the service."""

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from features.snapshots import stored
from features.tables import Tables, tables_from_frames
from models.outcome import OutcomeModel
from params import Params, load
from serving import publication, store
from serving.api import create_app
from serving.desk import Desk
from serving.forecast import forecast
from serving.guard import Guard
from serving.record import model_card
from serving.registry import load_champion
from training.dataset import assemble, settings_of
from training.tracking import Metric, Table, record_run

AS_OF = date(2026, 1, 1)
MADE_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MONTHS = [day.date() for day in pd.date_range("2024-06-01", AS_OF, freq="MS")]
SMALL = (
    "model.learner=logistic",
    "model.horizon_months=6",
    "backtest.horizons=[3, 6]",
    "forecast.draws=100",
    "forecast.cuts=[segment, region, csm]",
    "serving.rescored_months=3",
    "serving.poll_seconds=0.3",
    "serving.requests_per_minute=1000000",
)
AWKWARD = {
    1: "<script>alert(1)</script>",
    2: "Robert'); DROP TABLE account;--",
    3: '=HYPERLINK("http://x","y")',
    4: "Zürich & Søn 東京",
}
BOOKS = ("Ada A.", "Ben <b>B</b>", "Chloé C.")


def company() -> dict[str, pd.DataFrame]:
    """Account i starts in month i % 12 of 2023 and renews yearly; every fifth leaves at its second renewal."""
    numbers = range(1, 61)
    accounts = [
        {
            "account_id": f"a{i:02d}" if i != 6 else "a/06 é?#%",
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
        for year in range(2 if i % 5 == 0 else 4):
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

    def publish(self, as_of: date = AS_OF) -> Path:
        """Publish a forecast by the champion."""
        champion = load_champion(self.params)
        made = forecast(self.tables, champion, as_of=as_of, params=self.params, made_at=MADE_AT)
        card = model_card(self.params, champion)
        gathered = publication.gather(self.tables, champion, made, params=self.params, card=card)
        return store.write(gathered, store.folder_of(self.params.data_dir))


def make_place(folder: Path) -> Place:
    params = load(overrides=[f"data_dir={folder}", *SMALL])
    tables = tables_from_frames(company(), folder / "tables.duckdb", data_until=AS_OF)
    dataset = assemble(tables, stored(tables, MONTHS, params=params), as_of=AS_OF, params=params)
    model = OutcomeModel(dataset.inputs, settings_of(params)).fit(dataset.frame, dataset.paths)
    place = Place(params, tables, model)
    place.record()
    place.publish()
    return place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
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


@dataclasses.dataclass(frozen=True)
class Service:
    """One worker's application behind its guard."""

    desk: Desk
    guarded: Guard

    def client(self, token: str | None = None, **more: Any) -> Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return Client(self.guarded, **headers, **more)

    def remote(self, token: str | None = None, **headers: str) -> Client:
        """From another machine."""
        return self.client(token, client="10.0.0.9", base="http://holdfast.example:3000", **headers)

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
def fresh(place: Place) -> Iterator[Callable[..., Service]]:
    """Makes services with other settings, that answer from the same publication."""

    def make(**changes: Any) -> Service:
        made = make_service(place.params, **changes)
        made.desk.following.look()
        return made

    return make
