"""An event as the handlers see it, read from a verified request."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl


class NeverSucceeds(Exception):
    """What no later attempt can change: the event becomes a dead letter at once and waits for a person."""


@dataclass(frozen=True)
class Event:
    source: str
    # The same at every attempt, at the sender's own repetitions, and at replays.
    id: str
    type: str
    # When it happened, as far as the sender says so; else when it reached the gateway. RFC 3339.
    occurred_at: str
    received_at: str
    object_id: str
    body: Any
    # As it came, where it came as JSON.
    json: str

    def is_any(self, *patterns: str) -> bool:
        """Whether its type is one of these; `*` stands for any run of characters, all else for itself."""
        return any(
            re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), self.type, re.DOTALL) for pattern in patterns
        )


@dataclass(frozen=True)
class Reply:
    """What the sender is told once an event is handled, where somebody waits for it."""

    content_type: str
    text: str


@dataclass(frozen=True)
class Source:
    secret_variable: str
    # Where the id of what an event is about stands: the first alternative that is there, its places joined.
    object_places: list[list[str]]
    # Called in the event's transaction, once for each event.
    handle: Callable[[Event, Any], None]
    reply: Callable[[Event], Reply] | None = None


def read_event(name: str, source: Source, headers: Mapping[str, str], raw: bytes) -> Event:
    try:
        text = raw.decode()
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            body = dict(parse_qsl(text, keep_blank_values=True))
            text = json.dumps(body)
        else:
            body = json.loads(text)
    except (ValueError, RecursionError):
        raise NeverSucceeds("the body is neither JSON nor a form") from None
    return Event(
        source=name,
        id=headers["webhook-id"],
        type=headers["hookhaven-event-type"],
        occurred_at=headers.get("hookhaven-occurred-at") or headers["hookhaven-received-at"],
        received_at=headers["hookhaven-received-at"],
        object_id=_object_id(source, headers, body) or headers["webhook-id"],
        body=body,
        json=text,
    )


def _object_id(source: Source, headers: Mapping[str, str], body: Any) -> str | None:
    for places in source.object_places:
        found = [_look(place, headers, body) for place in places]
        if found[0] is not None:
            return "/".join(part for part in found if part is not None)
    return None


def _look(place: str, headers: Mapping[str, str], body: Any) -> str | None:
    """`header:NAME`, or `json:/a/b` for `body["a"]["b"]`."""
    kind, _, name = place.partition(":")
    if kind == "header":
        return headers.get(name)
    value = body
    for key in name.split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
