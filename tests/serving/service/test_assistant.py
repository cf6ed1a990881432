"""An assistant's tools: what the API answers, as whoever asks, over HTTP and stdio, by the SDK's own client."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from serving.access.visit import MCP
from serving.assistant.tools import TOOLS, described, question
from serving.service.api import specification

MINE, OTHERS = "a03", "a01"
NOT_OF_A_BOOK = {
    "scenario",
    "effects",
    "process_review",
    "holdout",
    "voice",
    "behaviours",
    "ideal_customer",
    "cohorts",
    "model_watch",
}
GIVEN: dict[str, dict[str, Any]] = {
    "account": {"account_id": MINE},
    "impact_sheet": {"account_id": MINE},
    "rescore": {"accounts": [{"account_id": MINE}]},
    "scenario": {"preset": "downside"},
}


def over_http(service: Any, token: str | None, work: Callable[[Client], Awaitable[Any]]) -> Any:
    """What comes of work with a client that asks the service by a token."""
    headers = {"authorization": f"Bearer {token}"} if token else {}

    async def go() -> Any:
        transport = httpx2.ASGITransport(app=service.guarded, client=("127.0.0.1", 5000))
        address = "http://127.0.0.1:3000"
        async with (
            httpx2.AsyncClient(transport=transport, base_url=address, headers=headers) as asking,
            Client(streamable_http_client(f"{address}{MCP}", http_client=asking)) as client,
        ):
            return await work(client)

    return asyncio.run(go())


def answers(service: Any, token: str) -> dict[str, Any]:
    """Each tool's answer to whoever holds a token."""

    async def work(client: Client) -> dict[str, Any]:
        return {tool.name: await client.call_tool(tool.name, GIVEN.get(tool.name, {})) for tool in TOOLS}

    told: dict[str, Any] = over_http(service, token, work)
    return told


def test_each_tool_answers_what_the_api_answers(service: Any) -> None:
    told = answers(service, service.admin)
    for tool in TOOLS:
        asked = question(tool, GIVEN.get(tool.name, {}))
        more = {"content": asked.body, "headers": {"content-type": "application/json"}} if asked.body else {}
        expected = service.client()(asked.method, f"{asked.path}?{asked.query}", **more).json()
        answer = told[tool.name]
        assert not answer.is_error, answer.content
        assert answer.structured_content == json.loads(answer.content[0].text) == expected, tool.name


def test_tools_say_what_they_take_in_the_words_of_the_api(service: Any) -> None:
    listed = over_http(service, service.admin, lambda client: client.list_tools()).tools
    assert [tool.name for tool in listed] == [tool.name for tool in TOOLS]
    assert len({tool.name for tool in listed}) == len(listed), "assistants refuse two tools of one name"
    by_name = {tool.name: tool for tool in listed}
    assert by_name["account"].input_schema["required"] == ["account_id"]
    assert by_name["book"].input_schema["properties"]["csm"]["description"] == "Only the book of this CSM"
    assert by_name["rescore"].input_schema["$defs"], "what it refers to is in it"
    for tool in listed:
        assert tool.description, tool.name
        assert tool.annotations.read_only_hint, tool.name
        assert "#/components" not in json.dumps(tool.input_schema)


def test_every_tool_is_described_by_the_api(service: Any) -> None:
    api = specification(service.guarded.app)
    routes = {tool.route for tool in TOOLS}
    read = {path for path, methods in api["paths"].items() if "get" in methods or path.endswith("/live")}
    lists = {path for path in read if path.startswith("/api") and "{kind}" not in path}
    assert lists - routes == set(), "a route that is added is a tool, or is named here"
    for tool in TOOLS:
        assert described(tool, api)[1]["type"] == "object"


def test_a_csm_sees_its_own_book_by_every_tool(service: Any) -> None:
    told = answers(service, service.token("csm", "Ada A."))
    own = {row["account_id"] for row in told["book"].structured_content["rows"]}
    every = {row["account_id"] for row in answers(service, service.admin)["book"].structured_content["rows"]}
    assert MINE in own
    assert OTHERS in every - own
    for name, answer in told.items():
        text = answer.content[0].text
        assert not any(f'"{other}"' in text for other in every - own), name
        assert answer.is_error == (name in NOT_OF_A_BOOK), (name, text)


def test_what_the_api_refuses_is_an_error_with_its_message(service: Any) -> None:
    async def work(client: Client) -> list[Any]:
        csm_book = await client.call_tool("account", {"account_id": OTHERS})
        horizon = await client.call_tool("forecast", {"horizon_months": 5000})
        unknown = await client.call_tool("delete_everything", {})
        return [csm_book, horizon, unknown]

    messages = [
        (answer.is_error, answer.content[0].text) for answer in over_http(service, service.token("csm", "Ada A."), work)
    ]
    assert all(is_error for is_error, _ in messages)
    assert "a01" in messages[0][1]
    assert "horizon_months" in messages[1][1]
    assert "There is no tool 'delete_everything'; there are about, book" in messages[2][1]


def test_nobody_gets_in_without_a_token_or_from_another_site(service: Any) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "about", "arguments": {}}}
    sent = {"accept": "application/json, text/event-stream"}
    assert service.stranger(**sent).post(MCP, json=call).status_code == 401
    assert service.client("hf_none", **sent).post(MCP, json=call).status_code == 401
    assert service.client(**sent, origin="https://elsewhere.example").post(MCP, json=call).status_code == 403
    assert service.client(**sent).post(MCP, content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    assert service.client(**sent).get(MCP).status_code == 405
    assert (
        service.client(**sent).post(MCP, content=b"[", headers={"content-type": "application/json"}).status_code == 400
    )


def test_the_audit_names_each_account_an_assistant_was_shown(service: Any, place: Any) -> None:
    before = len(lines_of(place))
    answers(service, service.token("csm", "Ada A."))
    lines = lines_of(place)[before:]
    seen = [line for line in lines if line["what"] == "GET /api/accounts/"]
    assert [line["account_ids"] for line in seen] == [[MINE]]
    assert {line["role"] for line in lines if line["who"] == "csm Ada A."} == {"csm"}


def lines_of(place: Any) -> list[dict[str, Any]]:
    files = sorted((place.params.data_dir / "serving" / "audit").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_over_stdio_it_is_the_token_in_the_environment_that_asks(service: Any, place: Any) -> None:
    token = service.token("csm", "Ada A.")
    command = ["-m", "holdfast", "mcp", "--set", f"data_dir={place.params.data_dir}"]
    server = StdioServerParameters(command=sys.executable, args=command, env={**os.environ, "HOLDFAST_TOKEN": token})

    async def work() -> tuple[Any, Any]:
        async with Client(server) as client:
            return await client.call_tool("account", {"account_id": MINE}), await client.call_tool("book", {})

    account, book = asyncio.run(work())
    assert account.structured_content["account_id"] == MINE
    assert book.structured_content == answers(service, token)["book"].structured_content
