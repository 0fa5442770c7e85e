package main

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// handleOnce runs the handler unless this event was handled before, all in one transaction. It answers `handled` or
// `duplicate`, after the commit.
func handleOnce(ctx context.Context, pool *pgxpool.Pool, source source, event *Event) (string, error) {
	outcome := "duplicate"
	// Committed if the function returns no error, else rolled back.
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// Who waits for a lock gives up before the gateway does, and is tried again.
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '5s'"); err != nil {
			return err
		}
		// Of two attempts at the same time the second waits here for the first, and goes by what became of it.
		inserted, err := tx.Exec(ctx,
			"INSERT INTO webhook_inbox (source, webhook_id, event_type) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			event.Source, event.ID, event.Type)
		if err != nil || inserted.RowsAffected() == 0 {
			return err
		}
		outcome = "handled"
		return source.handle(ctx, tx, event)
	})
	return outcome, err
}

// keepNewest keeps what the event says of its object, unless something newer is there; it answers whether it did.
//
// A deletion is kept like any other state, so that a late update does not bring the object back. Two events of the same
// time (many senders count in seconds) go by arrival; where that matters, ask the sender for the object. A sender's
// clock that is ahead keeps nothing out for long: no event counts as newer than a minute after it arrived.
func keepNewest(ctx context.Context, tx pgx.Tx, event *Event) (bool, error) {
	kept, err := tx.Exec(ctx, `
		INSERT INTO webhook_state AS state (source, object_id, event_type, webhook_id, occurred_at, body)
		VALUES ($1, $2, $3, $4, least($5::text::timestamptz, $6::text::timestamptz + interval '1 minute'),
		        $7::text::jsonb)
		ON CONFLICT (source, object_id) DO UPDATE
		SET event_type = excluded.event_type, webhook_id = excluded.webhook_id,
		    occurred_at = excluded.occurred_at, body = excluded.body
		WHERE excluded.occurred_at >= state.occurred_at`,
		event.Source, event.ObjectID, event.Type, event.ID, event.OccurredAt, event.ReceivedAt, event.JSON)
	return kept.RowsAffected() > 0, err
}

// enqueue decides an effect outside: it is performed if this transaction commits, and under a key of its own.
func enqueue(ctx context.Context, tx pgx.Tx, event *Event, effect string) error {
	return insert(ctx, tx, event, effect, nil)
}

// enqueueNewest does the same for an effect that follows the object's state, once keepNewest answered yes: older ones
// that still wait are dropped, so that none of them is performed after this one.
func enqueueNewest(ctx context.Context, tx pgx.Tx, event *Event, effect string) error {
	object := event.Source + ":" + event.ObjectID
	return insert(ctx, tx, event, effect, &object)
}

// One that was begun before may be in somebody's hand for as long as a call takes; the newer one waits for that.
func insert(ctx context.Context, tx pgx.Tx, event *Event, effect string, follows *string) error {
	_, err := tx.Exec(ctx, `
		WITH overtaken AS (
		    UPDATE webhook_outbox SET done_at = now(), last_error = 'overtaken by a newer state'
		    WHERE effect = $1 AND follows = $2 AND done_at IS NULL
		    RETURNING attempts)
		INSERT INTO webhook_outbox (effect, follows, idempotency_key, payload, due_at)
		VALUES ($1, $2, $3,
		        jsonb_build_object('source', $4::text, 'type', $5::text, 'id', $6::text, 'body', $7::text::jsonb),
		        CASE WHEN EXISTS (SELECT FROM overtaken WHERE attempts > 0)
		             THEN clock_timestamp() + interval '15 seconds' ELSE now() END)`,
		effect, follows, event.Source+":"+event.ID+":"+effect, event.Source, event.Type, event.ID, event.JSON)
	return err
}
