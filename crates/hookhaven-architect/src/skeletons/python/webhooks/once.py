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
    # Who waits for a lock gives up before the gateway does, and is tried again.
    tx.execute("SET LOCAL lock_timeout = '5s'")
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
    same time (many senders count in seconds) go by arrival; where that matters, ask the sender for the object. A
    sender's clock that is ahead keeps nothing out for long: no event counts as newer than a minute after it arrived.
    """
    tx.execute(
        """
        INSERT INTO webhook_state AS state (source, object_id, event_type, webhook_id, occurred_at, body)
        VALUES (%s, %s, %s, %s, least(%s::timestamptz, %s::timestamptz + interval '1 minute'), %s::jsonb)
        ON CONFLICT (source, object_id) DO UPDATE
        SET event_type = excluded.event_type, webhook_id = excluded.webhook_id,
            occurred_at = excluded.occurred_at, body = excluded.body
        WHERE excluded.occurred_at >= state.occurred_at
        """,
        (event.source, event.object_id, event.type, event.id, event.occurred_at, event.received_at, event.json),
    )
    return tx.rowcount > 0


def enqueue(tx: Cursor, event: Event, effect: str) -> None:
    """Decides an effect outside: it is performed if this transaction commits, and under a key of its own."""
    _insert(tx, event, effect, None)


def enqueue_newest(tx: Cursor, event: Event, effect: str) -> None:
    """The same for an effect that follows the object's state, once `keep_newest` answered yes.

    Older ones that still wait are dropped, so that none of them is performed after this one.
    """
    _insert(tx, event, effect, f"{event.source}:{event.object_id}")


def _insert(tx: Cursor, event: Event, effect: str, follows: str | None) -> None:
    # One that was begun before may be in somebody's hand for as long as a call takes; the newer one waits for that.
    tx.execute(
        """
        WITH overtaken AS (
            UPDATE webhook_outbox SET done_at = now(), last_error = 'overtaken by a newer state'
            WHERE effect = %(effect)s AND follows = %(follows)s AND done_at IS NULL
            RETURNING attempts)
        INSERT INTO webhook_outbox (effect, follows, idempotency_key, payload, due_at)
        VALUES (%(effect)s, %(follows)s, %(key)s,
                jsonb_build_object(
                    'source', %(source)s::text, 'type', %(type)s::text, 'id', %(id)s::text, 'body', %(body)s::jsonb),
                CASE WHEN EXISTS (SELECT FROM overtaken WHERE attempts > 0)
                     THEN clock_timestamp() + interval '15 seconds' ELSE now() END)
        """,
        {
            "effect": effect,
            "follows": follows,
            "key": f"{event.source}:{event.id}:{effect}",
            "source": event.source,
            "type": event.type,
            "id": event.id,
            "body": event.json,
        },
    )
