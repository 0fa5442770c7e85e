"""How an event is kept to once, and a state to its newest: all in one transaction."""

from typing import Any, Protocol

from webhooks.event import Event, Source


class Cursor(Protocol):
    """What the handlers need of a database cursor; psycopg's and Django's both are one."""

    rowcount: int

    def execute(self, query: str, params: Any = None, /) -> Any: ...

    def fetchone(self) -> Any: ...


def handle_once(tx: Cursor, source: Source, event: Event) -> str:
    """Runs the handler unless this event was handled before. The caller commits."""
    # Of two attempts at the same time the second waits here for the first, and goes by what became of it.
    tx.execute(
        "INSERT INTO webhook_inbox (source, webhook_id, event_type) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (event.source, event.id, event.type),
    )
    if tx.rowcount == 0:
        return "duplicate"
    source.handle(event, tx)
    return "handled"


def keep_newest(tx: Cursor, event: Event) -> bool:
    """Keeps what the event says of its object, unless something newer is there; answers whether it did.

    A deletion is kept like any other state, so that a late update does not bring the object back. Two events of the
    same time (many senders count in seconds) go by arrival; where that matters, ask the sender for the object.
    """
    tx.execute(
        """
        INSERT INTO webhook_state AS state (source, object_id, event_type, webhook_id, occurred_at, body)
        VALUES (%s, %s, %s, %s, %s::timestamptz, %s::jsonb)
        ON CONFLICT (source, object_id) DO UPDATE
        SET event_type = excluded.event_type, webhook_id = excluded.webhook_id,
            occurred_at = excluded.occurred_at, body = excluded.body
        WHERE excluded.occurred_at >= state.occurred_at
        """,
        (event.source, event.object_id, event.type, event.id, event.occurred_at, event.json),
    )
    return tx.rowcount > 0


def enqueue(tx: Cursor, event: Event, effect: str) -> None:
    """Decides an effect outside: it is performed if this transaction commits, and under a key of its own."""
    tx.execute(
        """
        INSERT INTO webhook_outbox (effect, idempotency_key, payload)
        VALUES (%s, %s, jsonb_build_object(
            'source', %s::text, 'type', %s::text, 'id', %s::text, 'body', %s::jsonb))
        """,
        (effect, f"{event.source}:{event.id}:{effect}", event.source, event.type, event.id, event.json),
    )
