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

# Takes the next due row and says when it is to be tried again if nobody reports back, this process included. The
# first pause is longer than a call may take, so that a row is in one hand at a time.
CLAIM = """
    UPDATE webhook_outbox
    SET attempts = attempts + 1, due_at = now() + least(interval '1 hour', interval '30 seconds' * 2 ^ attempts)
    WHERE id = (SELECT id FROM webhook_outbox
                WHERE done_at IS NULL AND due_at <= now() AND attempts < 20
                ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, effect, idempotency_key, payload::text
"""


def drain(begin: Callable[[], AbstractContextManager[Cursor]]) -> int:
    """Performs everything that is due; answers how many rows were tried. No transaction is open during a call."""
    tried = 0
    while True:
        with begin() as tx:
            tx.execute(CLAIM)
            row = tx.fetchone()
        if row is None:
            return tried
        tried += 1
        number, effect, key, payload = row
        try:
            EFFECTS[effect](payload, key)
        except Exception as error:
            log.error(json.dumps({"outbox": number, "effect": effect, "error": repr(error)}))
            with begin() as tx:
                tx.execute("UPDATE webhook_outbox SET last_error = %s WHERE id = %s", (repr(error), number))
        else:
            with begin() as tx:
                tx.execute("UPDATE webhook_outbox SET done_at = now(), last_error = NULL WHERE id = %s", (number,))


def run(begin: Callable[[], AbstractContextManager[Cursor]], stop: threading.Event) -> None:
    """Drains again and again until it is told to stop; ends when the last row in hand is done with."""
    while not stop.is_set():
        try:
            drain(begin)
        except Exception:
            log.exception("the outbox could not be read")
        stop.wait(POLL_S)
