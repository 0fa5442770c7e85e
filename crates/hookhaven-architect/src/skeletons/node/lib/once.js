// How an event is kept to once, and a state to its newest: all in one transaction.

/** Runs the handler unless this event was handled before. Answers `handled` or `duplicate`, after the commit. */
export async function handleOnce(pool, source, event) {
  const tx = await pool.connect();
  let broken;
  try {
    // Who waits for a lock gives up before the gateway does, and is tried again.
    await tx.query("BEGIN; SET LOCAL lock_timeout = '5s'");
    // Of two attempts at the same time the second waits here for the first, and goes by what became of it.
    const { rowCount } = await tx.query(
      "INSERT INTO webhook_inbox (source, webhook_id, event_type) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
      [event.source, event.id, event.type],
    );
    if (rowCount > 0) await source.handle(event, tx);
    await tx.query("COMMIT");
    return rowCount > 0 ? "handled" : "duplicate";
  } catch (error) {
    // A connection that cannot even roll back goes; the pool makes another.
    await tx.query("ROLLBACK").catch((failed) => (broken = failed));
    throw error;
  } finally {
    tx.release(broken);
  }
}

/**
 * Keeps what the event says of its object, unless something newer is there; answers whether it did.
 *
 * A deletion is kept like any other state, so that a late update does not bring the object back. Two events of the
 * same time (many senders count in seconds) go by arrival; where that matters, ask the sender for the object. A
 * sender's clock that is ahead keeps nothing out for long: no event counts as newer than a minute after it arrived.
 */
export async function keepNewest(tx, event) {
  const { rowCount } = await tx.query(
    `INSERT INTO webhook_state AS state (source, object_id, event_type, webhook_id, occurred_at, body)
     VALUES ($1, $2, $3, $4, least($5::timestamptz, $6::timestamptz + interval '1 minute'), $7)
     ON CONFLICT (source, object_id) DO UPDATE
     SET event_type = excluded.event_type, webhook_id = excluded.webhook_id,
         occurred_at = excluded.occurred_at, body = excluded.body
     WHERE excluded.occurred_at >= state.occurred_at`,
    [event.source, event.objectId, event.type, event.id, event.occurredAt, event.receivedAt, event.json],
  );
  return rowCount > 0;
}

/** Decides an effect outside: it is performed if this transaction commits, and under a key of its own. */
export async function enqueue(tx, event, effect) {
  await insert(tx, event, effect, null);
}

/**
 * The same for an effect that follows the object's state, once `keepNewest` answered yes: older ones that still wait
 * are dropped, so that none of them is performed after this one.
 */
export async function enqueueNewest(tx, event, effect) {
  await insert(tx, event, effect, `${event.source}:${event.objectId}`);
}

/** One that was begun before may be in somebody's hand for as long as a call takes; the newer one waits for that. */
async function insert(tx, event, effect, follows) {
  await tx.query(
    `WITH overtaken AS (
       UPDATE webhook_outbox SET done_at = now(), last_error = 'overtaken by a newer state'
       WHERE effect = $1 AND follows = $2 AND done_at IS NULL
       RETURNING attempts)
     INSERT INTO webhook_outbox (effect, follows, idempotency_key, payload, due_at)
     VALUES ($1, $2, $3,
             jsonb_build_object('source', $4::text, 'type', $5::text, 'id', $6::text, 'body', $7::jsonb),
             CASE WHEN EXISTS (SELECT FROM overtaken WHERE attempts > 0)
                  THEN clock_timestamp() + interval '15 seconds' ELSE now() END)`,
    [effect, follows, `${event.source}:${event.id}:${effect}`, event.source, event.type, event.id, event.json],
  );
}
