"""The API: what it answers, what it refuses and how, and that nothing leaks."""

import asyncio
import contextlib
import io
import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import openpyxl
import pandas as pd
import pytest
from starlette.types import Message, Receive, Scope, Send

from serving.service.guard import SECURITY, Guard
from serving.service.worker import NoValues
from serving.wire.schemas import (
    AccountDetail,
    Accounts,
    ForecastBridge,
    History,
    ModelCard,
    Movements,
    Nrr,
    PublishedForecasts,
    Renewals,
    Scores,
)
from training.tracking.bundle import bundle_digest
from training.tracking.store import store_uri

AWKWARD_ID = "a/06 é?#%"


def score(service: Any, **wanted: Any) -> Any:
    answer = service.client().post("/api/score", json=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


def live(service: Any, *accounts: dict[str, Any]) -> Any:
    return service.client().post("/api/live", json={"accounts": list(accounts)})


def test_scores_come_in_the_order_asked_for_with_reasons(service: Any) -> None:
    found = score(service, account_ids=["a02", AWKWARD_ID, "a02"], horizons=[3, 6], drivers=2)
    assert [row["account_id"] for row in found["scores"]] == ["a02", AWKWARD_ID, "a02"]
    scores = Scores.model_validate(found)
    assert scores.model_dump(mode="json") == found, "nothing that the schema does not declare"
    first = scores.scores[0]
    assert [row.horizon_months for row in first.horizons] == [3, 6]
    assert first.horizons[0].churn_probability <= first.horizons[1].churn_probability
    assert [row.rank for row in first.drivers.churn] == [1, 2]
    assert first.drivers.churn[0].text.startswith(("Raises churn risk by", "Lowers churn risk by"))
    assert first.horizons[1].arr_at_risk == pytest.approx(first.arr * first.horizons[1].churn_probability, abs=0.01)


def test_live_scores_of_unchanged_accounts_are_the_published_ones(service: Any) -> None:
    published = score(service, account_ids=["a02", "a07"])["scores"]
    made = live(service, {"account_id": "a02"}, {"account_id": "a07"}).json()
    assert made["source"] == "live"
    for now, before in zip(made["scores"], published, strict=True):
        assert now["drivers"] == before["drivers"]
        assert now["horizons"] == before["horizons"]


def test_changed_inputs_change_the_score(service: Any) -> None:
    as_is, changed = live(
        service,
        {"account_id": "a02"},
        {"account_id": "a02", "changes": {"notice_given": 1, "term_ends_on": "2026-02-01"}},
    ).json()["scores"]
    assert changed["renews_on"] == "2026-02-01"
    assert changed["horizons"] != as_is["horizons"]
    assert changed["arr"] == as_is["arr"]


def test_an_account_that_comes_several_times_is_scored_each_time_by_itself(service: Any) -> None:
    new = {"account_id": "n1", "new": True, "changes": {"arr": 5000}}
    variants = [
        {"account_id": "a02"},
        {"account_id": "a02", "changes": {"notice_given": 1, "term_ends_on": "2026-02-01"}},
        {"account_id": "a07"},
        {"account_id": "a02", "changes": {"usage_28d": 0}},
        new,
        {**new, "changes": {"arr": 99_000, "term_days": 30}},
    ]
    alone = [live(service, variant).json()["scores"][0] for variant in variants]
    assert live(service, *variants).json()["scores"] == alone
    assert len({str(score["drivers"]) for score in alone}) > 3


def test_a_new_account_is_scored_from_what_is_given(service: Any) -> None:
    new = {"account_id": "n1", "new": True, "changes": {"arr": 5000, "term_ends_on": "2026-06-01", "term_days": 365}}
    (found,) = live(service, new).json()["scores"]
    assert (found["account_id"], found["arr"], found["renews_on"]) == ("n1", 5000.0, "2026-06-01")
    assert 0 < found["horizons"][-1]["churn_probability"] < 1


@pytest.mark.parametrize(
    ("account", "status", "message"),
    [
        ({"account_id": "a99"}, 404, "There is no customer 'a99'"),
        ({"account_id": "a02", "changes": {"usage_28": 1}}, 422, "Did you mean usage_28d, usage_7d, usage_90d?"),
        (
            {"account_id": "a02", "changes": {"usage_28d": "many"}},
            422,
            "usage_28d: a number from 0 to 1e+12 is expected",
        ),
        ({"account_id": "a02", "changes": {"usage_28d": -1}}, 422, "usage_28d: a number from 0 to 1e+12 is expected"),
        ({"account_id": "a02", "changes": {"usage_28d": "inf"}}, 422, "a number from 0 to 1e+12 is expected"),
        ({"account_id": "a02", "changes": {"usage_28d": 1e300}}, 422, "a number from"),
        ({"account_id": "a02", "changes": {"arr": 0}}, 422, "a number from 0.01"),
        ({"account_id": "a02", "changes": {"arr": None}}, 422, "ARR must be known"),
        ({"account_id": "a02", "changes": {"due_share": 2}}, 422, "a number from 0 to 1 is expected"),
        ({"account_id": "a02", "changes": {"term_ends_on": "soon"}}, 422, "a date is expected, as YYYY-MM-DD"),
        ({"account_id": "a02", "changes": {"term_ends_on": "1066-10-14"}}, 422, "a date from 1990-01-01"),
        ({"account_id": "a02", "changes": {"term_ends_on": 5}}, 422, "text is expected"),
        ({"account_id": "n", "new": True}, 422, "A new account needs its ARR"),
        ({"account_id": "a02", "new": True, "changes": {"arr": 1}}, 422, "a customer has it, or had it lately"),
        ({"account_id": "a02", "changes": {"usage_28d": [1]}}, 422, "accounts.0.changes.usage_28d"),
        ({"account_id": "a02", "old": True}, 422, "Extra inputs are not permitted"),
    ],
)
def test_live_scores_refuse_what_cannot_be(service: Any, account: dict[str, Any], status: int, message: str) -> None:
    answer = live(service, account)
    assert answer.status_code == status
    told = answer.json()["error"]["message"]
    assert message in told
    assert not told.endswith(("..", "?."))


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/api/accounts", Accounts),
        (f"/api/accounts/{quote(AWKWARD_ID)}", AccountDetail),
        ("/api/nrr", Nrr),
        ("/api/nrr?cut=segment&value=large&horizon_months=3&metric=grr", Nrr),
        ("/api/renewals?cut=region", Renewals),
        ("/api/movements?limit=3&offset=2", Movements),
        ("/api/bridge?limit=3&offset=2", ForecastBridge),
        ("/api/history?csm=Ada%20A.", History),
        ("/api/forecasts?cut=csm", PublishedForecasts),
        ("/api/model", ModelCard),
    ],
)
def test_answers_are_what_the_schema_says(service: Any, path: str, schema: Any) -> None:
    answer = service.client().get(path)
    assert answer.status_code == 200, answer.text
    found = schema.model_validate_json(answer.content)
    assert found.as_of.isoformat() == "2026-01-01"
    assert getattr(found, "rows", True), "not empty"
    assert found.model_dump(mode="json") == answer.json(), "nothing that the schema does not declare"


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("segment=large", lambda row: row["segment"] == "large"),
        ("region=North&csm=Ada%20A.", lambda row: (row["region"], row["csm"]) == ("North", "Ada A.")),
        ("cut=segment&value=small", lambda row: row["segment"] == "small"),
        (
            "renews_from=2026-03-01&renews_before=2026-05-01",
            lambda row: "2026-03-01" <= row["renews_on"] < "2026-05-01",
        ),
        ("min_arr_at_risk=100", lambda row: row["arr_at_risk"] >= 100),
        ("search=ZÜRICH".replace("Ü", "%C3%BC"), lambda row: "Zürich" in row["name"]),
        ("horizon_months=3", lambda row: row["horizon_months"] == 3),
    ],
)
def test_accounts_are_filtered(service: Any, query: str, holds: Any) -> None:
    rows = service.client().get(f"/api/accounts?limit=1000&{query}").json()["rows"]
    assert rows
    assert all(holds(row) for row in rows)


@pytest.mark.parametrize(("path", "status", "message"), [
    ("/api/accounts?sort=password", 422, "sort: Input should be"),
    ("/api/accounts?limit=0", 422, "limit: Input should be greater than or equal to 1"),
    ("/api/accounts?limit=x", 422, "limit: Input should be a valid integer"),
    ("/api/accounts?colour=red", 422, "Extra inputs are not permitted"),
    ("/api/accounts?horizon_months=12", 422, "horizon_months: 1 to 6 are published, got 12"),
    ("/api/accounts?cut=segment", 422, "cut and value go together"),
    ("/api/accounts?renews_from=soon", 422, "renews_from: Input should be a valid date"),
    ("/api/accounts?min_arr_at_risk=nan", 422, "min_arr_at_risk"),
    ("/api/nrr?cut=planet", 404, "There is no such cut: csm, region, segment, total are published"),
    ("/api/nrr?cut=segment&value=huge", 404, "No such value of segment"),
    ("/api/nrr?value=large", 422, "value needs cut"),
    ("/api/nrr?metric=profit", 422, "metric: Input should be"),
    ("/api/accounts.pdf", 422, "kind: Input should be"),
    ("/api/accounts/nobody", 404, "There is no customer 'nobody'"),
    ("/api/nothing", 404, "There is nothing here"),
])  # fmt: skip
def test_errors_say_what_came_and_what_to_do(service: Any, path: str, status: int, message: str) -> None:
    answer = service.client().get(path)
    assert answer.status_code == status
    problem = answer.json()["error"]
    assert set(problem) == {"code", "message", "details"}
    assert message in problem["message"]


def test_a_wrong_method_is_405(service: Any) -> None:
    answer = service.client().post("/api/accounts", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 422, "Invalid JSON"),
        (b"{", 422, "Invalid JSON"),
        (b'{"account_ids": ["\xff"]}', 422, "Invalid JSON"),
        (b"[" * 100_000, 422, "Invalid JSON"),
        (b'{"account_ids":' + b"[" * 5000 + b"]" * 5000 + b"}", 422, ""),
        (b'{"account_ids": [NaN]}', 422, "account_ids.0"),
        (b'{"account_ids": "a01"}', 422, "account_ids: Input should be a valid array"),
        (b'{"account_ids": []}', 422, "account_ids: List should have at least 1 item"),
        (b'{"account_ids": [1]}', 422, "account_ids.0: Input should be a valid string"),
        (b'{"account_ids": ["a01"], "horizons": [99]}', 422, "horizons.0"),
        (b'{"account_ids": ["a01"], "horizons": [3, 12]}', 422, "horizons: 1 to 6 are published, got 12"),
        (b'{"account_ids": ["a01"], "drivers": NaN}', 422, "drivers"),
        (json.dumps({"account_ids": ["a01"] * 1001}).encode(), 422, "1,000 accounts (serving.max_accounts), got 1,001"),
        (b'{"account_ids": ["a01\'; DROP TABLE account; --"]}', 404, "There is no customer"),
        (b'{"account_ids": ["<script>alert(1)</script>"]}', 404, "There is no customer"),
    ],
)
def test_hostile_bodies_are_refused(service: Any, body: bytes, status: int, message: str) -> None:
    answer = service.client().post("/api/score", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert message in answer.json()["error"]["message"]
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("kind", ["application/vnd.bentoml+pickle", "multipart/form-data", "text/plain"])
def test_only_json_is_taken(service: Any, kind: str) -> None:
    answer = service.client().post("/api/score", content=b"{}", headers={"content-type": kind})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


AS_JSON = ((b"host", b"127.0.0.1"), (b"content-type", b"application/json"))


def test_a_body_without_end_is_cut_off_and_not_kept(service: Any) -> None:
    """50 MB in parts: the guard reads and drops what is beyond the limit."""
    parts = [b"x" * (1 << 20)] * 50
    left, sent = list(parts), []

    async def receive() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": bool(left)}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/api/score", "query_string": b"", "scheme": "http",
        "headers": [*AS_JSON, (b"authorization", f"Bearer {service.admin}".encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1),
    }  # fmt: skip
    asyncio.run(service.guarded(scope, receive, send))
    assert sent[0]["status"] == 413
    assert json.loads(sent[1]["body"])["error"]["code"] == "too_large"
    assert not left, "all was read, so that the sender hears the answer"


def test_the_service_s_own_script_may_run_on_the_list_of_accounts_alone(service: Any) -> None:
    policies = {path: service.client().get(path).headers["content-security-policy"]
                for path in ("/accounts", "/accounts/a02", "/", "/api/accounts")}  # fmt: skip
    assert policies.pop("/accounts") == f"{SECURITY['content-security-policy']}; script-src 'self'; connect-src 'self'"
    assert set(policies.values()) == {SECURITY["content-security-policy"]}
    assert "<script" not in service.client().get("/", headers={"accept": "text/html"}).text
    script = service.stranger().get("/static/search.js")
    assert (script.status_code, script.headers["content-type"].split(";")[0]) == (200, "text/javascript")


@pytest.mark.parametrize("path", ["/", "/api", "/api/nothing", "/static/style.css", "/metrics"])
def test_every_answer_has_the_security_headers(service: Any, path: str) -> None:
    headers = service.client().get(path).headers
    assert {name: headers[name] for name in SECURITY} == SECURITY
    assert "server" not in headers
    assert ("no-store" in headers["cache-control"]) == (not path.startswith("/static"))


@pytest.mark.parametrize("name", ["accounts", "nrr", "renewals", "movements", "bridge", "history", "forecasts"])
def test_downloads_hold_the_rows_of_the_list(service: Any, name: str) -> None:
    paged = "?limit=1000" if name in ("accounts", "movements", "bridge", "history") else ""
    rows = service.client().get(f"/api/{name}{paged}").json()["rows"]
    text = service.client().get(f"/api/{name}.csv")
    frame = pd.read_csv(io.StringIO(text.text), keep_default_na=False)
    assert len(frame) == len(rows)
    assert text.headers["content-disposition"] == f'attachment; filename="holdfast-{name}-2026-01-01.csv"'
    book = openpyxl.load_workbook(io.BytesIO(service.client().get(f"/api/{name}.xlsx").content))
    assert book.sheetnames == ["definitions", name]
    assert book[name].max_row == len(rows) + 1
    assert [cell.value for cell in book[name][1]] == frame.columns.tolist()


def test_names_that_a_spreadsheet_would_run_are_text(service: Any) -> None:
    text = service.client().get("/api/accounts.csv?search=HYPER").text
    assert "\"'=HYPERLINK(" in text
    book = openpyxl.load_workbook(io.BytesIO(service.client().get("/api/accounts.xlsx?search=HYPER").content))
    cell = book["accounts"]["B2"]
    assert (cell.data_type, cell.value[0]) == ("s", "=")


@pytest.mark.parametrize("path", ["/accounts?show=all", "/accounts/a01", "/accounts/a02"])
def test_names_are_shown_escaped(service: Any, path: str) -> None:
    page = service.client().get(path).text
    assert [tag for tag in re.findall("<script[^>]*>", page) if "/static/search.js?" not in tag] == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page or "DROP TABLE" in page


def test_the_table_is_still_there(service: Any) -> None:
    assert service.client().get("/accounts?search=" + quote("'; DROP TABLE account; --")).status_code == 200
    assert service.client().get("/api/accounts").json()["total"] > 40


def test_without_a_publication_it_says_so(fresh: Any, tmp_path: Path, place: Any) -> None:
    made = fresh()
    made.desk.following.state = type(made.desk.following.state)()
    for path in ("/api", "/api/accounts", "/api/accounts.csv"):
        answer = made.client().get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
        assert "run `holdfast publish`" in answer.json()["error"]["message"]
    page = made.client(accept="text/html").get("/")
    assert (page.status_code, "Nothing to show yet" in page.text) == (503, True)
    assert made.client().get("/readyz").status_code == 503
    assert made.client().post("/api/live", json={"accounts": [{"account_id": "a"}]}).status_code == 503


NO_MODEL = [  # the champion's bundle, settings, and what is said of it
    (
        '{"format": 1}',
        {},
        r"The champion, version 1, is of format 1, and \d+ is what can be read now: run `holdfast train`\.",
    ),
    ('{"name": "Company 7"}', {}, r"The champion, version 1, cannot be read\. Restore its files from a backup, or"),
    (None, {}, r"There is no champion of the model holdfast yet: run `holdfast train`\."),
    (None, {"uri": "http://me@127.0.0.1:9"}, r"The model could not be loaded or made ready; the "),
]


@pytest.mark.parametrize(("bundle", "tracking", "said"), NO_MODEL)
def test_why_there_is_no_model_is_said_without_places_and_values(
    place: Any,
    service_of: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bundle: str | None,
    tracking: dict[str, str],
    said: str,
) -> None:
    """What is published is still answered from; a bundle that an upgrade left behind is the usual reason."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # a server that is not there is asked for minutes
    shutil.copytree(place.params.data_dir / "serving", tmp_path / "data" / "serving")
    store = place.params.tracking.model_copy(update=tracking)
    params = place.params.model_copy(update={"data_dir": tmp_path / "data", "tracking": store})
    if bundle is not None:
        _register(params, bundle)
    made = service_of(params)
    made.desk.following.look()
    client = made.client()
    live = client.post("/api/live", json={"accounts": [{"account_id": "a02"}]})
    for answer in (live, client.get("/readyz")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
        assert re.match(said, answer.json()["error"]["message"])
        assert [text for text in (str(tmp_path), "127.0.0.1", "Company 7") if text in answer.text] == []
    assert client.post("/api/score", json={"account_ids": ["a02"]}).status_code == 200


def test_a_model_that_cannot_be_made_ready_is_told_and_the_log_says_where_but_not_what(
    place: Any, service_of: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked for twice, it is told once."""

    def fail(*_: object, **__: object) -> None:
        raise ValueError("secret of a customer")

    monkeypatch.setattr("serving.forecast.live.Scorer.score", fail)
    made = service_of(place.params)
    with caplog.at_level(logging.INFO):
        made.desk.following.look()
        made.desk.following.look()
    answer = made.client().get("/readyz")
    said = "The model could not be loaded or made ready; the server's log says where that failed. It is tried again."
    assert (answer.status_code, answer.json()["error"]["message"]) == (503, said)
    assert caplog.text.count("Looking for a new champion failed: ValueError at test_api.py:") == 1
    assert "secret" not in caplog.text


def _register(params: Any, bundle: str) -> None:
    """A champion whose bundle holds this `model.json`."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store_uri(params), registry_uri=store_uri(params))
    experiment = client.create_experiment("test", artifact_location=(params.data_dir / "artifacts").as_uri())
    run = client.create_run(experiment, tags={"as_of": "2026-01-01"})
    client.log_text(run.info.run_id, bundle, "model/artifacts/bundle/model.json")
    client.create_registered_model(params.model.name)
    source, tags = f"{run.info.artifact_uri}/model", {"bundle_digest": bundle_digest({"model.json": bundle})}
    version = client.create_model_version(params.model.name, source, run.info.run_id, tags=tags)
    client.set_registered_model_alias(params.model.name, "champion", version.version)


def test_a_failure_is_a_plain_500_and_the_log_says_where_but_not_what(
    fresh: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fresh()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret of a customer")

    monkeypatch.setattr(made.desk.following.state.published, "rows", fail)
    with caplog.at_level(logging.INFO):
        answer = made.client().get("/api/accounts")
        page = made.client(accept="text/html").get("/accounts")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert page.status_code == 500
    assert "secret" not in answer.text + page.text + caplog.text
    assert "GET /api/accounts failed: RuntimeError at test_api.py" in caplog.text


def test_a_live_score_that_takes_too_long_ends_with_504_and_says_nothing_after_it(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask() -> tuple[httpx.Response, list[Message]]:
        late: list[Message] = []

        async def seen(scope: Scope, receive: Receive, send: Send) -> None:
            async def noted(message: Message) -> None:
                late.append(message)
                await send(message)

            await Guard(stubborn, service.desk, stubborn)(scope, receive, noted)

        transport = httpx.ASGITransport(app=seen, client=("127.0.0.1", 50000))
        headers = {"authorization": f"Bearer {service.admin}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000", headers=headers) as asking:
            answer = await asking.post("/api/live", json={"accounts": [{"account_id": "a02"}]})
            await asyncio.sleep(0.01)
            return answer, late

    monkeypatch.setattr("serving.service.guard.LIVE_SECONDS", 0.05)
    answer, sent = asyncio.run(ask())
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")
    assert {name: answer.headers[name] for name in SECURITY} == SECURITY
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


def test_refusals_leave_no_values_in_the_log(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        live(service, {"account_id": "a02", "changes": {"arr": "secret"}})
        service.client().post("/api/score", json={"account_ids": [{"secret": 1}]})
        service.client().get("/api/accounts?limit=secret")
    ours = [record for record in caplog.records if record.name not in ("httpx", "asyncio")]
    assert "secret" not in " ".join(record.getMessage() for record in ours)


def test_tracebacks_of_libraries_lose_their_messages() -> None:
    try:
        raise ValueError("secret")
    except ValueError as error:
        record = logging.LogRecord(
            "bentoml", logging.ERROR, "", 1, "Exception on %s", ("/x",), (type(error), error, error.__traceback__)
        )
    assert NoValues().filter(record)
    text = logging.Formatter().format(record)
    assert text.startswith("Exception on /x: ValueError at test_api.py:")
    assert "secret" not in text


def test_metrics_tell_what_matters(service: Any) -> None:
    service.client().get("/api/accounts/a01")
    text = service.client().get("/metrics").text
    route = 'method="GET",route="/api/accounts/{account_id:path}",status="200"'
    ages = ("holdfast_data_age_seconds", "holdfast_model_age_seconds", "holdfast_publication_age_seconds")
    for line in (
        f"holdfast_request_seconds_count{{{route}}}",
        *ages,
        'holdfast_model_info{digest="',
        "holdfast_ready 1.0",
    ):
        assert line in text
    assert "a01" not in text
