"""An attempt of the gateway: verified, read, handled once, answered.

Not here: what an event does (`handlers`), how it is kept to once (`once`).
"""

import json
import logging
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from standardwebhooks import Webhook

from handlers import SOURCES
from webhooks.event import NeverSucceeds, Reply, Source, read_event
from webhooks.once import Cursor, handle_once

log = logging.getLogger("webhooks")

# Opens a transaction; it is committed when the block ends, and rolled back if the block raises.
Begin = Callable[[], AbstractContextManager[Cursor]]


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/plain"


def read_secrets(env: Mapping[str, str]) -> dict[str, list[Webhook]]:
    """The secrets of all sources. Raises, naming the variable, if one is missing or malformed."""
    secrets = {}
    for name, source in SOURCES.items():
        # Several, separated by blanks, while one replaces the other.
        listed = env.get(source.secret_variable, "").split()
        if not listed:
            raise RuntimeError(f"{source.secret_variable} is not set: it holds the secret of {name}, whsec_...")
        try:
            secrets[name] = [Webhook(secret) for secret in listed]
        except Exception:  # What was no secret must not be shown either.
            what = f"{source.secret_variable} holds something that is no secret: whsec_ and base64 are wanted"
            raise RuntimeError(what) from None
    return secrets


def receive(
    begin: Begin, secrets: Mapping[str, list[Webhook]], name: str, headers: Mapping[str, str], raw: bytes
) -> Answer:
    """Answers one attempt; `headers` have names in lower case, `raw` is the body as it came.

    2xx is said only after the commit; 5xx asks for another attempt; 422 with `webhook-delivery: abort-message` says
    that none would help.
    """
    source = SOURCES.get(name)
    if source is None:
        return Answer(404, "no such source")
    about = _about(name, headers)
    refused = _why_unsigned(secrets[name], headers, raw)
    if refused is not None:
        log.warning(json.dumps({**about, "refused": refused}))
        return Answer(401, refused)
    # `hookhaven destinations test` asks whether somebody answers; nothing happened.
    if headers.get("hookhaven-test") == "true":
        return Answer(200, "test")
    try:
        event = read_event(name, source, headers, raw)
        with begin() as tx:
            outcome = handle_once(tx, source, event)
        log.info(json.dumps({**about, "outcome": outcome}))
        reply = source.reply(event) if source.reply else Reply("text/plain", outcome)
        return Answer(200, reply.text, {"webhook-outcome": outcome}, reply.content_type)
    except Exception as error:
        # The first line and where it was raised, no more: what the database says after that quotes the body.
        what = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        log.error(json.dumps({**about, "error": what, "at": _raised_at(error)}))
        if _is_hopeless(error):
            return Answer(422, "this event cannot be handled", {"webhook-delivery": "abort-message"})
        return Answer(500, "try again")


def _why_unsigned(secrets: list[Webhook], headers: Mapping[str, str], raw: bytes) -> str | None:
    """Nothing if one of the secrets fits; else what the library says: the signature, or a clock that is minutes off."""
    refused = None
    for secret in secrets:
        try:
            # Not every sender posts JSON, so parsing is not its business.
            secret.verify(raw, dict(headers), json_parse=False)
            return None
        except Exception as error:  # The library raises several kinds for headers that are malformed.
            refused = str(error) or type(error).__name__
    return refused


def _is_hopeless(error: Exception) -> bool:
    """Whether no later attempt can change it: PostgreSQL's classes 22 and 54 are values that it cannot hold."""
    # Django raises an error of its own and keeps the driver's as the cause.
    states = [getattr(e, "sqlstate", None) or "" for e in (error, error.__cause__)]
    return isinstance(error, NeverSucceeds) or any(state.startswith(("22", "54")) for state in states)


def _raised_at(error: Exception) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-4:]]


def _about(source: str, headers: Mapping[str, str]) -> dict[str, str | None]:
    return {
        "source": source,
        "webhook_id": headers.get("webhook-id"),
        "event_type": headers.get("hookhaven-event-type"),
        "attempt": headers.get("hookhaven-attempt"),
        # The delivery or job that this is a replay of, if a person asked for it again.
        "replay": headers.get("hookhaven-replay"),
        "correlation_id": headers.get("hookhaven-correlation-id"),
    }
