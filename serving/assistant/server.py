"""The server of the Model Context Protocol, by its official SDK: over HTTP in the service, or over stdio."""

import functools
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.assistant.inside import Header, ask, scope_of
from serving.assistant.tools import TOOLS, Tool, described, question

if TYPE_CHECKING:
    from mcp.server import Server, ServerRequestContext
    from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams

MISSING = "This needs the extra `mcp`: `pip install holdfast[mcp]`."
INSTRUCTIONS = """\
Forecasts of churn, expansion and Net Revenue Retention, as the company published them. Every figure is as of the day
that the answer names in `as_of`; say it, with the interval where there is one. Money is ARR, a year, in the currency
named. Probabilities are over `horizon_months`. Reasons say what goes with the probability, not what causes it. Never
add up or average figures yourself where the answer holds the total.
"""
Asker = Callable[["ServerRequestContext[Any]"], tuple[Iterable[Header], Mapping[str, Any]]]


def is_installed() -> bool:
    """Whether the SDK is there."""
    return find_spec("mcp") is not None


def make_server(app: ASGIApp, api: Callable[[], Mapping[str, Any]], asker: Asker) -> "Server[Any]":
    """The server.

    Parameters
    ----------
    app
        What answers: the service behind its guard.
    api
        Its OpenAPI document.
    asker
        The headers and the connection of whoever asks.
    """
    from mcp.server import Server
    from mcp_types import CallToolResult, ListToolsResult, TextContent

    logging.getLogger("mcp").setLevel(logging.WARNING)
    by_name = {tool.name: tool for tool in TOOLS}

    async def list_tools(
        context: "ServerRequestContext[Any]", params: "PaginatedRequestParams | None"
    ) -> "ListToolsResult":
        return ListToolsResult(tools=[_listed(tool, api()) for tool in TOOLS])

    async def call_tool(context: "ServerRequestContext[Any]", params: "CallToolRequestParams") -> "CallToolResult":
        tool = by_name.get(params.name)
        if tool is None:
            text = f"There is no tool {params.name[:80]!r}; there are {', '.join(by_name)}."
            return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
        wanted = question(tool, params.arguments or {})
        status, body = await ask(app, scope_of(wanted, *asker(context)), wanted.body)
        return _result(status, body)

    return Server("holdfast", instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool)


class OverHttp:
    """ASGI application that answers each request by itself, so that any worker may take it.

    Parameters
    ----------
    app, api
        As in `make_server`.
    """

    def __init__(self, app: ASGIApp, api: Callable[[], Mapping[str, Any]]) -> None:
        self._app, self._api = app, api

    @functools.cached_property
    def _server(self) -> "Server[Any]":
        return make_server(self._app, self._api, _asker_of_request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, which the guard has let in."""
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
        from mcp.server.transport_security import TransportSecuritySettings

        manager = StreamableHTTPSessionManager(
            self._server,
            json_response=True,
            stateless=True,
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)


async def over_stdio(
    app: ASGIApp, api: Callable[[], Mapping[str, Any]], token: str, ready: Callable[[], Awaitable[None]]
) -> None:
    """Answer on standard input and output until the former ends; whoever asks is whose token it is.

    Parameters
    ----------
    app, api
        As in `make_server`.
    token
        Of whoever asks.
    ready
        Waits until there is something to answer from.
    """
    from mcp.server.stdio import stdio_server

    async def once_ready(scope: Scope, receive: Receive, send: Send) -> None:
        await ready()
        await app(scope, receive, send)

    headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {token}".encode())]
    here = {"client": ("127.0.0.1", 0), "server": ("127.0.0.1", 0)}
    server = make_server(once_ready, api, lambda context: (headers, here))
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _asker_of_request(context: "ServerRequestContext[Any]") -> tuple[Iterable[Header], Mapping[str, Any]]:
    request: Any = context.request
    return request.scope["headers"], request.scope


def _listed(tool: Tool, api: Mapping[str, Any]) -> Any:
    from mcp_types import Tool as Listed
    from mcp_types import ToolAnnotations

    words, schema = described(tool, api)
    hints = ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False)
    return Listed(name=tool.name, description=words, input_schema=schema, annotations=hints)


def _result(status: int, body: bytes) -> "CallToolResult":
    from mcp_types import CallToolResult, TextContent

    text = body.decode()
    if status != 200:
        message = json.loads(text)["error"]["message"]
        return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=json.loads(text))
