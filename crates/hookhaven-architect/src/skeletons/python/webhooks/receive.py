"""An attempt of the gateway: verified, read, handled once, answered.

Not here: what an event does (`handlers`), how it is kept to once (`once`).
"""

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import psycopg
from standardwebhooks import Webhook

from handlers import SOURCES
from webhooks.event import NeverSucceeds, Source, read_event
from webhooks.once import Cursor, handle_once

log = logging.getLogger("webhooks")

# Opens a transaction; it is committed when the block ends, and rolled back if the block raises.
Begin = Callable[[], AbstractContextManager[Cursor]]


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)


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
    if not any(_is_signed(secret, headers, raw) for secret in secrets[name]):
        return Answer(401, "the signature does not match")
    # `hookhaven destinations test` asks whether somebody answers; nothing happened.
    if headers.get("hookhaven-test") == "true":
        return Answer(200, "test")
    about = _about(name, headers)
    try:
        outcome = _handle(begin, source, name, headers, raw)
    except Exception as error:
        if _is_hopeless(error):
            # The first line only: those after it quote the body.
            log.error(json.dumps({**about, "error": str(error).partition("\n")[0]}))
            return Answer(422, "this event cannot be handled", {"webhook-delivery": "abort-message"})
        log.exception(json.dumps(about))
        return Answer(500, "try again")
    log.info(json.dumps({**about, "outcome": outcome}))
    return Answer(200, outcome)


def _handle(begin: Begin, source: Source, name: str, headers: Mapping[str, str], raw: bytes) -> str:
    event = read_event(name, source, headers, raw)
    with begin() as tx:
        return handle_once(tx, source, event)


def _is_signed(secret: Webhook, headers: Mapping[str, str], raw: bytes) -> bool:
    try:
        # Not every sender posts JSON, so parsing is not its business.
        secret.verify(raw, dict(headers), json_parse=False)
    except Exception:  # The library raises several kinds for headers that are malformed.
        return False
    return True


def _is_hopeless(error: Exception) -> bool:
    """Whether no later attempt can change it: PostgreSQL's class 22 is a value that it cannot hold."""
    # Django raises an error of its own and keeps the driver's as the cause.
    return any(isinstance(e, (NeverSucceeds, psycopg.DataError)) for e in (error, error.__cause__))


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
