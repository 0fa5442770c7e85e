"""Performs what the handlers decided: each row until it succeeded, under the same idempotency key every time."""

import json
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from webhooks.effects import EFFECTS
from webhooks.once import Cursor

log = logging.getLogger("webhooks.outbox")

POLL_S = 1.0

# Opens a transaction of its own.
Begin = Callable[[], AbstractContextManager[Cursor]]

# Takes the next due row and says when it is to be tried again if nobody reports back, this process included. The
# first pause is longer than a call may take, so that a row is in one hand at a time.
CLAIM = """
    UPDATE webhook_outbox
    SET attempts = attempts + 1, due_at = now() + least(interval '1 hour', interval '30 seconds' * 2 ^ attempts)
    WHERE id = (SELECT id FROM webhook_outbox
                WHERE effect = %s AND done_at IS NULL AND due_at <= now() AND attempts < 20
                ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, idempotency_key, payload::text
"""


def run(begin: Begin, stop: threading.Event) -> None:
    """Performs what is due, again and again until it is told to stop; ends when the last rows in hand are done with."""
    # Each effect by itself: a provider that hangs delays its own alone.
    loops = [threading.Thread(target=_run_one, args=(begin, stop, effect), name=effect) for effect in EFFECTS]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()


def drain(begin: Begin, stop: threading.Event) -> None:
    """Performs what is due now, or as much as it can until it is told to stop."""
    for effect in EFFECTS:
        _drain_one(begin, stop, effect)


def _run_one(begin: Begin, stop: threading.Event, effect: str) -> None:
    while not stop.is_set():
        try:
            _drain_one(begin, stop, effect)
        except Exception:
            log.exception("the outbox cannot be read or written")
        stop.wait(POLL_S)


def _drain_one(begin: Begin, stop: threading.Event, effect: str) -> None:
    """No transaction is open during a call."""
    while not stop.is_set():
        with begin() as tx:
            tx.execute(CLAIM, (effect,))
            row = tx.fetchone()
        if row is None:
            return
        number, key, payload = row
        try:
            EFFECTS[effect](payload, key)
        except Exception as error:
            log.error(json.dumps({"outbox": number, "effect": effect, "error": str(error)}))
            with begin() as tx:
                tx.execute("UPDATE webhook_outbox SET last_error = %s WHERE id = %s", (str(error), number))
        else:
            with begin() as tx:
                tx.execute("UPDATE webhook_outbox SET done_at = now(), last_error = NULL WHERE id = %s", (number,))
