package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// How long one call may take. Shorter than the first pause below, so that a row is in one hand at a time.
	callTimeout = 10 * time.Second
	// How long it may take to write down what came of a call.
	noteTimeout = 10 * time.Second
	poll        = time.Second
)

// Takes the next due row and says when it is to be tried again if nobody reports back, this process included.
const claim = `
	UPDATE webhook_outbox
	SET attempts = attempts + 1, due_at = now() + least(interval '1 hour', interval '30 seconds' * 2 ^ attempts)
	WHERE id = (SELECT id FROM webhook_outbox
	            WHERE effect = $1 AND done_at IS NULL AND due_at <= now() AND attempts < 20
	            ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
	RETURNING id, idempotency_key, payload::text`

// An effect outside: payload is JSON, key the same at every try.
type perform func(ctx context.Context, payload, key string) error

// RunOutbox performs what the handlers decided until it is told to stop; it returns when the rows in hand are done with.
func RunOutbox(ctx context.Context, pool *pgxpool.Pool) {
	// Each effect by itself: a provider that hangs delays its own alone.
	var loops sync.WaitGroup
	for effect, perform := range effects {
		loops.Add(1)
		go func() {
			defer loops.Done()
			runOne(ctx, pool, effect, perform)
		}()
	}
	loops.Wait()
}

func runOne(ctx context.Context, pool *pgxpool.Pool, effect string, perform perform) {
	for {
		if err := drain(ctx, pool, effect, perform); err != nil && ctx.Err() == nil {
			slog.Error("outbox", "effect", effect, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(poll):
		}
	}
}

// drain performs what is due of an effect: each row until it succeeded, under the same idempotency key every time. No
// transaction is open during a call.
func drain(ctx context.Context, pool *pgxpool.Pool, effect string, perform perform) error {
	for {
		var id int64
		var key, payload string
		err := pool.QueryRow(ctx, claim, effect).Scan(&id, &key, &payload)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		failed := call(ctx, perform, payload, key)
		if failed != nil {
			slog.Error("outbox", "id", id, "effect", effect, "error", failed)
		}
		if err := note(ctx, pool, id, failed); err != nil {
			return err
		}
	}
}

// Once begun, a call is not cut off by the end of the process.
func call(ctx context.Context, perform perform, payload, key string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	return perform(ctx, payload, key)
}

// Nor is what came of it lost with that.
func note(ctx context.Context, pool *pgxpool.Pool, id int64, failed error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	if failed != nil {
		_, err := pool.Exec(ctx, "UPDATE webhook_outbox SET last_error = $2 WHERE id = $1", id, failed.Error())
		return err
	}
	_, err := pool.Exec(ctx, "UPDATE webhook_outbox SET done_at = now(), last_error = NULL WHERE id = $1", id)
	return err
}
