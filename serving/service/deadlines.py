"""How long a connection may take to say what it wants: the server itself waits for ever for the rest of a header."""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEADER_SECONDS = 10.0
PROTOCOL = f"{__name__}:Impatient"
_Protocol: Any = AutoHTTPProtocol


class Impatient(_Protocol):  # type: ignore[misc]
    """The server's protocol, which hangs up on whoever has not sent all headers in time.

    The time runs from the first byte of a request, or from the connection's start, to the end of its headers; how
    slowly bytes come does not matter. What follows an answer, such as the rest of a body that nobody reads, counts as
    the next request.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take some bytes in; what they are of decides whether time runs."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()
        elif self._deadline is None and (before is None or before.response_complete):
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline with the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._deadline = None
        self.transport.abort()
