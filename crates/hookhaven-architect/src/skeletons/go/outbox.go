package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// How long one call may take. Shorter than the first pause below, so that a row is in one hand at a time.
	callTimeout = 10 * time.Second
	poll        = time.Second
)

// Takes the next due row and says when it is to be tried again if nobody reports back, this process included.
const claim = `
	UPDATE webhook_outbox
	SET attempts = attempts + 1, due_at = now() + least(interval '1 hour', interval '30 seconds' * 2 ^ attempts)
	WHERE id = (SELECT id FROM webhook_outbox
	            WHERE done_at IS NULL AND due_at <= now() AND attempts < 20
	            ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
	RETURNING id, effect, idempotency_key, payload::text`

// RunOutbox performs what the handlers decided until it is told to stop; it returns when the row in hand is done with.
func RunOutbox(ctx context.Context, pool *pgxpool.Pool) {
	for {
		if _, err := DrainOutbox(ctx, pool); err != nil && ctx.Err() == nil {
			slog.Error("outbox", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(poll):
		}
	}
}

// DrainOutbox performs everything that is due: each row until it succeeded, under the same idempotency key every time.
// It answers how many rows were tried. No transaction is open during a call.
func DrainOutbox(ctx context.Context, pool *pgxpool.Pool) (int, error) {
	for tried := 0; ; tried++ {
		var id int64
		var effect, key, payload string
		err := pool.QueryRow(ctx, claim).Scan(&id, &effect, &key, &payload)
		if errors.Is(err, pgx.ErrNoRows) {
			return tried, nil
		}
		if err != nil {
			return tried, err
		}
		// Once begun, a call is not cut off by the end of the process, and what came of it is written down.
		row, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*callTimeout)
		if failed := call(row, effect, payload, key); failed != nil {
			slog.Error("outbox", "id", id, "effect", effect, "error", failed)
			_, err = pool.Exec(row, "UPDATE webhook_outbox SET last_error = $2 WHERE id = $1", id, failed.Error())
		} else {
			_, err = pool.Exec(row, "UPDATE webhook_outbox SET done_at = now(), last_error = NULL WHERE id = $1", id)
		}
		cancel()
		if err != nil {
			return tried, err
		}
	}
}

func call(ctx context.Context, effect, payload, key string) error {
	perform, known := effects[effect]
	if !known {
		return fmt.Errorf("nothing performs %s", effect)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return perform(ctx, payload, key)
}
