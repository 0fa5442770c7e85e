// How an event is kept to once, and a state to its newest: all in one transaction.

/** Runs the handler unless this event was handled before. Answers `handled` or `duplicate`, after the commit. */
export async function handleOnce(pool, source, event) {
  const tx = await pool.connect();
  let broken;
  try {
    await tx.query("BEGIN");
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
 * same time (many senders count in seconds) go by arrival; where that matters, ask the sender for the object.
 */
export async function keepNewest(tx, event) {
  const { rowCount } = await tx.query(
    `INSERT INTO webhook_state AS state (source, object_id, event_type, webhook_id, occurred_at, body)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (source, object_id) DO UPDATE
     SET event_type = excluded.event_type, webhook_id = excluded.webhook_id,
         occurred_at = excluded.occurred_at, body = excluded.body
     WHERE excluded.occurred_at >= state.occurred_at`,
    [event.source, event.objectId, event.type, event.id, event.occurredAt, event.json],
  );
  return rowCount > 0;
}

/** Decides an effect outside: it is performed if this transaction commits, and under a key of its own. */
export async function enqueue(tx, event, effect) {
  await tx.query(
    `INSERT INTO webhook_outbox (effect, idempotency_key, payload)
     VALUES ($1, $2, jsonb_build_object('source', $3::text, 'type', $4::text, 'id', $5::text, 'body', $6::jsonb))`,
    [effect, `${event.source}:${event.id}:${effect}`, event.source, event.type, event.id, event.json],
  );
}
