"""What is said, to whom: an event as data, and the body that each kind of target takes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from params_outlets import Target

_SLACK_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@dataclass(frozen=True)
class News:
    """Something that happened.

    Attributes
    ----------
    event
        What kind of thing, one of `params_outlets.EVENTS`.
    key
        Tells it from all others of its kind: the same thing told twice has the same.
    occurred_at
        When (ISO, UTC).
    data
        What a program reads.
    text
        What a person reads, the answer first; lines.
    """

    event: str
    key: str
    occurred_at: str
    data: Mapping[str, Any]
    text: str


@dataclass(frozen=True)
class Message:
    """News on its way to one target; `message_id` follows from both, however often it is made."""

    message_id: str
    target: str
    event: str
    occurred_at: str
    body: str


def message(news: News, name: str, target: Target) -> Message:
    """The message of some news to a target."""
    key = json.dumps([news.event, news.key, name], ensure_ascii=True)
    message_id = f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    return Message(message_id, name, news.event, news.occurred_at, _body(news, target.kind))


def _body(news: News, kind: str) -> str:
    content: Mapping[str, Any]
    match kind:
        case "slack":
            content = {"text": _escaped(news.text)}
        case "teams":
            content = _card(news.text)
        case _:
            content = {"type": news.event, "timestamp": news.occurred_at, "data": news.data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _escaped(text: str) -> str:
    """Text that Slack shows as it is: no name of a customer calls a channel or makes a link."""
    return "".join(_SLACK_ESCAPES.get(letter, letter) for letter in text)


def _card(text: str) -> Mapping[str, Any]:
    """An adaptive card, as the webhooks of Teams take them; a run of plain text, so that no name is markup."""
    blocks = [
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": line}]} for line in text.splitlines() if line
    ]
    card = {"type": "AdaptiveCard", "version": "1.4", "body": blocks}
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }
