"""The service without a port: one caller on standard input and output, by the same guard, roles and audit."""

import asyncio
import threading

from params import Params
from serving.assistant.server import over_stdio
from serving.desk.desk import Desk
from serving.forecast.refusals import BadRequest
from serving.service.api import create_app, specification
from serving.service.guard import Guard
from serving.service.worker import hide_values


def open_desk(params: Params, token: str, variable: str) -> Desk:
    """What is published, for the holder of a token.

    Parameters
    ----------
    params
        The settings.
    token
        Whose it is, is who asks.
    variable
        The environment variable that it was in.

    Raises
    ------
    BadRequest
        There is no token, or one that is unknown, revoked or expired.
    """
    if not token:
        raise BadRequest(f"Put a token into {variable}: `holdfast tokens issue NAME --role csm --csm NAME` makes one.")
    desk = Desk(params)
    if desk.tokens.caller(token) is None:
        raise BadRequest(f"The token in {variable} is unknown, revoked or expired: `holdfast tokens list` shows them.")
    return desk


def answer_on_stdio(desk: Desk, token: str) -> None:
    """Answer until standard input ends."""
    hide_values()
    looked = threading.Event()

    def follow() -> None:
        try:
            desk.following.start()
        finally:
            looked.set()

    async def ready() -> None:
        await asyncio.to_thread(looked.wait)

    threading.Thread(target=follow, name="first look", daemon=True).start()
    app = create_app(desk)
    try:
        asyncio.run(over_stdio(Guard(app, desk, app), lambda: specification(app), token, ready))
    finally:
        desk.following.stop()
