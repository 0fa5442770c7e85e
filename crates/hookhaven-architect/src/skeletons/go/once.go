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
// time (many senders count in seconds) go by arrival; where that matters, ask the sender for the object.
func keepNewest(ctx context.Context, tx pgx.Tx, event *Event) (bool, error) {
	kept, err := tx.Exec(ctx, `
		INSERT INTO webhook_state AS state (source, object_id, event_type, webhook_id, occurred_at, body)
		VALUES ($1, $2, $3, $4, $5::text::timestamptz, $6::text::jsonb)
		ON CONFLICT (source, object_id) DO UPDATE
		SET event_type = excluded.event_type, webhook_id = excluded.webhook_id,
		    occurred_at = excluded.occurred_at, body = excluded.body
		WHERE excluded.occurred_at >= state.occurred_at`,
		event.Source, event.ObjectID, event.Type, event.ID, event.OccurredAt, event.JSON)
	return kept.RowsAffected() > 0, err
}

// enqueue decides an effect outside: it is performed if this transaction commits, and under a key of its own.
func enqueue(ctx context.Context, tx pgx.Tx, event *Event, effect string) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO webhook_outbox (effect, idempotency_key, payload)
		VALUES ($1, $2, jsonb_build_object(
		    'source', $3::text, 'type', $4::text, 'id', $5::text, 'body', $6::text::jsonb))`,
		effect, event.Source+":"+event.ID+":"+effect, event.Source, event.Type, event.ID, event.JSON)
	return err
}
