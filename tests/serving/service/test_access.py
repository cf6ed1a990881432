"""Tokens, the audit log and the rate limit, each by itself; then who gets in, and what a CSM sees."""

import io
import json
import re
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import openpyxl
import pytest

from params import Params, SettingsError, load
from serving.access.audit import Audit
from serving.access.limits import RateLimit
from serving.access.token_desk import work
from serving.access.tokens import Caller, Tokens
from serving.forecast.refusals import BadRequest
from serving.service.start import prepare, with_sign_in


def test_a_token_is_stored_as_a_digest_and_works_until_revoked(tmp_path: Path) -> None:
    tokens, elsewhere = Tokens(tmp_path), Tokens(tmp_path)
    token, secret = tokens.issue("ada", "csm", "Ada A.")
    assert elsewhere.caller(secret) == Caller("ada", "csm", "Ada A.")
    assert secret not in tokens.file.read_text()
    assert stat.S_IMODE(tokens.file.stat().st_mode) == 0o600
    elsewhere.revoke(token.id)
    assert tokens.caller(secret) is None
    assert tokens.caller("hf_guess") is None


def test_a_token_expires(tmp_path: Path) -> None:
    token, _ = Tokens(tmp_path).issue("bot", "revops", days=1)
    now = datetime.now(tz=UTC)
    assert token.caller(now) == Caller("bot", "revops")
    assert token.caller(now + timedelta(days=2)) is None


@pytest.mark.parametrize(
    ("name", "role", "csm", "message"),
    [
        ("", "admin", None, "1 to 100 printable characters, got ''"),
        ("a\nb", "admin", None, "printable characters"),
        ("ada", "csm", None, "A token of role csm names its book"),
        ("ada", "revops", "Ada A.", "the other roles see all books"),
    ],
)
def test_tokens_that_make_no_sense_are_refused(tmp_path: Path, name: str, role: Any, csm: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        Tokens(tmp_path).issue(name, role, csm)
    assert not (tmp_path / "tokens.json").exists()


@pytest.mark.parametrize(
    ("action", "name", "role", "message"),
    [
        ("isue", "ada", "admin", "did you mean issue"),
        ("issue", "", "admin", "for whom"),
        ("issue", "ada", "root", "--role root: there is admin, revops, csm"),
        ("revoke", "", "admin", "which"),
        ("revoke", "beef", "admin", "There is no token 'beef'. `holdfast tokens list` shows their ids"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path: Path, action: str, name: str, role: str, message: str) -> None:
    params = load(overrides=[f"data_dir={tmp_path}"])
    with pytest.raises(BadRequest, match=message):
        work(params, action, name, role=role, csm=None, days=None)


def test_the_command_issues_lists_and_revokes_and_all_of_it_is_on_record(tmp_path: Path) -> None:
    params = load(overrides=[f"data_dir={tmp_path}"])
    issued, lines = work(params, "issue", "ada", role="csm", csm="Ada A.", days=30)
    assert issued["token"] in lines
    listed, _ = work(params, "list", "", role="revops", csm=None, days=None)
    assert [token["name"] for token in listed["tokens"]] == ["ada"]
    assert issued["token"] not in json.dumps(listed)
    revoked, lines = work(params, "revoke", issued["id"], role="revops", csm=None, days=None)
    assert revoked["revoked_at"]
    log = "".join(file.read_text() for file in (tmp_path / "serving" / "audit").iterdir())
    assert [json.loads(line)["what"] for line in log.splitlines()] == ["token issued", "token revoked"]
    assert issued["token"] not in log


@pytest.mark.parametrize(
    ("role", "csm", "warning"),
    [
        ("csm", "Ada A.", ""),
        ("revops", None, ""),
        (
            "csm",
            "ada A.",
            "no published account is in the book 'ada A.', so that the token sees none. Did you mean 'Ada A.'?",
        ),
        ("csm", "Nobody X.", "in the book 'Nobody X.', so that the token sees none. The column csm of accounts names"),
    ],
)
def test_a_token_for_a_book_that_no_account_is_in_is_warned_of(
    place: Any, tmp_path: Path, role: str, csm: str | None, warning: str
) -> None:
    shutil.copytree(place.params.data_dir / "serving", tmp_path / "serving")
    params = load(overrides=[f"data_dir={tmp_path}"])
    issued, lines = work(params, "issue", "new", role=role, csm=csm, days=None)
    assert [warning in found for found in issued["warnings"]] == [True] * bool(warning)
    assert lines[3:] == [f"Warning: {found}" for found in issued["warnings"]]


def test_without_a_publication_no_book_can_be_missed(tmp_path: Path) -> None:
    params = load(overrides=[f"data_dir={tmp_path}"])
    assert work(params, "issue", "new", role="csm", csm="Nobody X.", days=None)[0]["warnings"] == []


def test_a_second_token_with_other_rights_is_told(tmp_path: Path) -> None:
    """The rule it tells is what `Tokens.named` does: the newest that is valid, then the one before."""
    params, tokens = load(overrides=[f"data_dir={tmp_path}"]), Tokens(tmp_path / "serving")
    first, _ = tokens.issue("ada", "revops", days=30)
    tokens.issue("ben", "csm", "Ben B.")
    again = work(params, "issue", "ada", role="revops", csm=None, days=None)[0]
    assert again["warnings"] == []
    tokens.revoke(again["id"])
    issued, lines = work(params, "issue", "ada", role="admin", csm=None, days=None)
    assert lines[3:] == [f"Warning: {warning}" for warning in issued["warnings"]]
    assert lines[3].startswith(
        f"Warning: ada also has {first.id} (role revops, valid until {first.expires_at[:10]}). Each"
    )
    assert tokens.named("ada") == Caller("ada", "admin")
    tokens.revoke(issued["id"])
    assert tokens.named("ada") == Caller("ada", "revops")


def test_the_audit_log_is_only_appended_to(tmp_path: Path) -> None:
    first, second = Audit(tmp_path), Audit(tmp_path)
    first.write("ada", "GET /a\nb", note="é")
    second.write("ben", "GET /b")
    first.write("ada", "GET /c")
    (file,) = (tmp_path / "audit").iterdir()
    assert [json.loads(line)["what"] for line in file.read_text().splitlines()] == ["GET /a\nb", "GET /b", "GET /c"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_rate_limit_refills_evenly() -> None:
    now = [0.0]
    limit = RateLimit(600, lambda: now[0])
    assert [limit.wait_seconds("a") for _ in range(60)] == [0.0] * 60
    assert limit.wait_seconds("a") == pytest.approx(0.1)
    assert limit.wait_seconds("b") == 0.0, "another caller has a bucket of its own"
    now[0] = 1.0
    assert [limit.wait_seconds("a") for _ in range(10)] == [0.0] * 10
    assert limit.wait_seconds("a") > 0


EVERYWHERE = (
    "/",
    "/accounts",
    "/accounts/a01",
    "/actions",
    "/track-record",
    "/api/track-record",
    "/model",
    "/api",
    "/api/accounts",
    "/api/accounts.csv",
    "/api/accounts/a01",
    "/api/nrr",
    "/api/renewals",
    "/api/movements",
    "/api/bridge",
    "/api/history.xlsx",
    "/api/forecasts",
    "/api/actions",
    "/api/actions/answers",
    "/api/actions/record",
    "/api/scenario",
    "/api/kpis",
    "/api/cohorts",
    "/api/behaviours",
    "/api/scorecards",
    "/api/watch",
    "/api/effects",
    "/effects",
    "/losses",
    "/whitespace",
    "/escalations",
    "/review",
    "/api/process",
    "/process",
    "/holdout",
    "/api/model",
    "/openapi.json",
    "/docs.json",
    "/schema.json",
    "/metrics",
    "/nothing",
)


@pytest.mark.parametrize("path", EVERYWHERE)
def test_from_elsewhere_everything_needs_a_token(service: Any, path: str) -> None:
    answer = service.remote().get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert b"a01" not in answer.content


@pytest.mark.parametrize("path", ["/api/score", "/api/live"])
def test_scores_need_a_token_too(service: Any, path: str) -> None:
    answer = service.remote().post(path, json={"account_ids": ["a01"]})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/sign-in", "/static/style.css"])
def test_what_holds_no_data_needs_none(service: Any, path: str) -> None:
    assert service.remote().get(path).status_code in (200, 404)


def test_nobody_is_let_in_by_where_the_request_seems_to_come_from(service: Any, untouched: Any) -> None:
    """A proxy on this machine looks the same."""
    for made in (service, untouched()):
        assert made.stranger().get("/api").status_code == 401


HERE = "http://127.0.0.1:3000"
OPENED: tuple[tuple[dict[str, str], str, str, int], ...] = (
    ({}, "127.0.0.1", HERE, 200),
    ({}, "::1", "http://[::1]:3000", 200),
    ({}, "::1", "http://[::1]", 200),
    ({}, "127.0.0.1", "http://localhost:3000", 401),  # the test's address of the server is no loopback address
    ({"host": "evil.example"}, "127.0.0.1", HERE, 421),
    ({"x-forwarded-for": "127.0.0.1"}, "127.0.0.1", HERE, 401),
    ({}, "10.0.0.9", HERE, 401),
    ({}, "127.0.0.1", "http://10.0.0.1:3000", 401),
    ({"authorization": "Bearer hf_wrong"}, "127.0.0.1", HERE, 401),
)


def test_open_to_this_machine_where_the_settings_say_so_and_until_there_is_a_token(untouched: Any) -> None:
    service = untouched(access="anyone_is_admin")
    for headers, client, base, status in OPENED:
        answer = service.stranger(client=client, base=base).get("/api", headers=headers)
        assert answer.status_code == status, (headers, client, base)
    service.token("csm", "Ada A.")
    assert service.stranger().get("/api").status_code == 401


def test_access_can_be_required_of_this_machine_too(fresh: Any) -> None:
    service = fresh(access="required")
    assert service.stranger().get("/api").status_code == 401
    assert service.client(service.token("admin")).get("/api").status_code == 200


def test_a_trusted_proxy_names_the_caller(fresh: Any) -> None:
    service = fresh(proxies=["10.0.0.9"], proxy_header="X-Forwarded-User")
    service.token("csm", "Ada A.")
    known = service.remote(**{"x-forwarded-user": "csm Ada A."}).get("/api").json()
    assert known["cuts"] == {"csm": ["Ada A."]}
    assert service.remote(**{"x-forwarded-user": "stranger"}).get("/api").status_code == 403
    assert service.remote().get("/api").status_code == 401
    other = service.stranger(client="10.0.0.7", base="http://h:1", **{"x-forwarded-user": "csm Ada A."})
    assert other.get("/api").status_code == 401, "another machine's word is not trusted"
    assert service.stranger().get("/api").status_code == 401, "behind a proxy nobody is local"


def test_names_it_may_be_called_by_can_be_set(fresh: Any) -> None:
    service = fresh(hosts=["holdfast.example"])
    token = service.token("revops")
    assert service.remote(token).get("/api").status_code == 200
    assert service.remote(token, host="other.example").get("/api").status_code == 421


def test_failed_tokens_are_slowed_down(fresh: Any) -> None:
    client = fresh().remote("hf_wrong")
    statuses = [client.get("/api").status_code for _ in range(14)]
    assert (statuses[0], statuses[-1]) == (401, 429)


def test_too_many_requests_are_refused_with_when_to_go_on(fresh: Any) -> None:
    client = fresh(requests_per_minute=60).client()
    answers = [client.get("/api") for _ in range(12)]
    assert [answer.status_code for answer in answers[:10]] == [200] * 10
    assert (answers[-1].status_code, answers[-1].json()["error"]["code"]) == (429, "too_many_requests")
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_page_asks_to_sign_in_and_the_cookie_lets_in(service: Any) -> None:
    client = service.remote(accept="text/html")
    page = client.get("/accounts")
    assert (page.status_code, "Paste the token" in page.text) == (401, True)
    wrong = client.post("/sign-in", data={"token": "hf_wrong"})
    assert (wrong.status_code, "unknown, revoked or expired" in wrong.text) == (401, True)
    right = client.post("/sign-in", data={"token": service.token("revops")})
    assert (right.status_code, right.headers["location"]) == (303, "/")
    cookie = right.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert service.remote(accept="text/html", cookie=cookie.split(";")[0]).get("/accounts").status_code == 200
    out = client.post("/sign-out", headers={"cookie": cookie.split(";")[0]})
    assert 'holdfast_session=""' in out.headers["set-cookie"]


def books(service: Any) -> dict[str, set[str]]:
    rows = service.client().get("/api/accounts?limit=1000").json()["rows"]
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["csm"], set()).add(row["account_id"])
    return found


def words_of(answer: Any) -> str:
    """All text of an answer, workbooks too."""
    if "spreadsheet" not in answer.headers.get("content-type", ""):
        return str(answer.text)
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    return " ".join(str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row)


ALL_LISTS = ("accounts", "nrr", "renewals", "movements", "bridge", "history", "forecasts", "health", "actions")
PAGED = ("movements", "bridge", "history", "health", "actions")


@pytest.mark.parametrize("path", [
    "/", "/accounts", "/accounts?search=a", "/model", "/api", "/api/accounts?limit=1000", "/api/model",
    *(f"/api/{name}?limit=1000" if name in PAGED else f"/api/{name}" for name in ALL_LISTS[1:]),
    *(f"/api/{name}.{kind}" for name in ALL_LISTS for kind in ("csv", "xlsx")),
])  # fmt: skip
def test_a_csm_sees_nothing_of_another_book_anywhere(service: Any, path: str) -> None:
    mine, others = books(service)["Ada A."], books(service)
    client = service.remote(service.token("csm", "Ada A."), accept="text/html,*/*")
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    text = words_of(answer)
    theirs = {account for csm, accounts in others.items() if csm != "Ada A." for account in accounts}
    # Not within a longer word: a digest may end as an id does.
    shown = [(account, found[0]) for account in theirs if (found := re.search(rf".{{,20}}\b{account}\b.{{,20}}", text))]
    assert not shown
    assert "Chloé" not in text
    assert "Ben <b>" not in text
    whole = service.client().get("/api").json()
    if path in ("/", "/api"):
        assert f"{len(mine)}" in text
        assert f"{whole['accounts']} accounts" not in text


def test_a_csm_s_bridge_between_forecasts_is_that_of_the_own_book(service: Any) -> None:
    bridge = service.remote(service.token("csm", "Ada A.")).get("/api/bridge?limit=1000").json()
    assert bridge == service.client().get("/api/bridge?limit=1000&csm=Ada%20A.").json()
    assert {row["account_id"] for row in bridge["rows"]} == set(books(service)["Ada A."])
    whole = service.client().get("/api/bridge").json()
    assert bridge["total"] < whole["total"]
    for told in (bridge, whole):
        assert told["residual"] == 0
        assert told["start"] + sum(step["amount"] for step in told["steps"]) == pytest.approx(told["end"], abs=0.001)
    assert bridge["end"] == pytest.approx(sum(row["expected_now"] for row in bridge["rows"]), abs=0.001)
    assert (whole["from_as_of"], whole["target"]) == ("2025-12-01", "2026-06-01")
    moves = [abs(row["expected_now"] - row["expected_before"]) for row in whole["rows"]]
    assert moves == sorted(moves, reverse=True)


@pytest.mark.parametrize("path", [
    "/api/accounts?csm={other}", "/api/nrr?cut=total", "/api/nrr?cut=csm&value={other}", "/api/nrr?cut=segment",
    "/api/renewals?cut=total", "/api/movements?csm={other}", "/api/bridge?csm={other}", "/api/history?csm={other}",
    "/api/nrr.csv?cut=total",
    "/api/forecasts?cut=total", "/metrics",
])  # fmt: skip
def test_a_csm_is_told_no(service: Any, path: str) -> None:
    client = service.remote(service.token("csm", "Ada A."))
    answer = client.get(path.format(other=quote("Chloé C.")))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


def test_another_book_s_account_is_as_if_it_were_not_there(service: Any) -> None:
    other = sorted(books(service)["Chloé C."])[-1]
    client = service.remote(service.token("csm", "Ada A."))
    for answer in (
        client.get(f"/api/accounts/{other}"),
        client.post("/api/score", json={"account_ids": [other]}),
        client.post("/api/live", json={"accounts": [{"account_id": other}]}),
        client.get(f"/accounts/{other}", headers={"accept": "text/html"}),
        client.get("/api/accounts/never"),
    ):
        assert answer.status_code == 404
    new = client.post("/api/live", json={"accounts": [{"account_id": "n", "new": True, "changes": {"arr": 1}}]})
    assert new.status_code == 403
    said = client.post("/api/score", json={"account_ids": [other]}).json()["error"]["message"]
    assert said == f"The book of Ada A. has no customer {other!r}."


def test_a_csm_s_figures_are_those_of_the_book(service: Any) -> None:
    whole = service.client().get("/api/nrr?cut=csm&value=Ada%20A.&metric=nrr&horizon_months=6").json()["rows"]
    own = service.remote(service.token("csm", "Ada A.")).get("/api/nrr?metric=nrr&horizon_months=6").json()["rows"]
    assert own == whole
    bridge = service.remote(service.token("csm", "Ada A.")).get("/api/movements").json()["bridge"]
    total = service.client().get("/api/movements?csm=Ada%20A.").json()["bridge"]
    assert bridge == total


def test_who_saw_whom_is_on_record(fresh: Any, place: Any) -> None:
    service = fresh()
    token = service.token("csm", "Ada A.")
    mine = sorted(books(service)["Ada A."])[:2]
    service.remote(token).post("/api/score", json={"account_ids": mine})
    service.remote(token).get("/accounts?show=all", headers={"accept": "text/html"})
    service.remote("hf_wrong").get("/api")
    log = [json.loads(line) for file in service.desk.audit.folder.iterdir() for line in file.read_text().splitlines()]
    scored, listed, failed = log[-3:]
    assert (scored["who"], scored["what"], scored["account_ids"]) == ("csm Ada A.", "POST /api/score", mine)
    assert (scored["from"], scored["status"], scored["role"]) == ("10.0.0.9", 200, "csm")
    assert listed["accounts"] == len(books(service)["Ada A."])
    assert (failed["who"], failed["status"]) == ("", 401)
    assert token not in json.dumps(log)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"host": "0.0.0.0"}, "0.0.0.0 can be reached from other machines, and nobody has a token"),
        ({"access": "required"}, "serving.access is required, and nobody has a token"),
        ({"access": "anyone_is_admin", "host": "0.0.0.0"}, "anyone_is_admin, and 0.0.0.0 can be reached from other"),
        ({"base_path": "/api/x"}, "serving.base_path: /api is an address of the service itself"),
        ({"base_path": "/x/../y"}, "serving.base_path: Input should be a path such as /holdfast"),
        ({"host": "nowhere"}, "serving.host: value is not a valid IPv4 or IPv6 address, got 'nowhere'"),
        ({"port": 70000}, "serving.port: Input should be less than or equal to 65535, got 70000"),
    ],
)
def test_starting_is_refused_where_it_would_be_open_or_cannot_be(
    tmp_path: Path, chosen: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadRequest, match=message):
        prepare(load(overrides=[f"data_dir={tmp_path}"]), chosen)


def test_proxies_and_their_header_go_together() -> None:
    with pytest.raises(SettingsError, match="proxies and proxy_header go together"):
        load(overrides=["serving.proxies=[10.0.0.1]"])


def test_what_is_started_is_said(tmp_path: Path) -> None:
    params: Params = load(overrides=[f"data_dir={tmp_path}"])
    start = prepare(params, {"port": 0})
    assert start.url.startswith("http://127.0.0.1:")
    assert start.access.startswith("by the address below, from this machine; by token once one is issued")
    assert "run `holdfast publish`" in start.publication
    assert not (tmp_path / "serving").exists(), "nothing is written by asking"
    start = with_sign_in(start)
    assert start.lines()[2] == f"Sign in, once, at {start.sign_in}"
    assert start.sign_in.startswith(f"{start.url}/sign-in?once=ho_")
    assert start.sign_in == start.to_json()["sign_in"]
    open_to_all = prepare(params, {"access": "anyone_is_admin", "port": 0})
    assert "whoever reaches this address sees all, as admin, through a proxy too" in open_to_all.lines()[1]
    assert with_sign_in(open_to_all).sign_in == ""
    Tokens(tmp_path / "serving").issue("ada", "admin")
    by_token = with_sign_in(prepare(params, {"host": "0.0.0.0", "port": 0}))
    assert (by_token.access, by_token.sign_in, "sign_in" in by_token.to_json()) == ("by token", "", False)
    assert with_sign_in(prepare(params, {"port": 0})).access == "by token", "on loopback too"
    with pytest.raises(BadRequest, match="anyone_is_admin, and there are tokens: set it to auto"):
        prepare(params, {"access": "anyone_is_admin"})
