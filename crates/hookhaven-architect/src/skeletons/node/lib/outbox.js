// Performs what the handlers decided: each row until it succeeded, under the same idempotency key every time.

import { setTimeout as sleep } from "node:timers/promises";

import { effects } from "./effects.js";

/** How long one call may take. Shorter than the first pause below, so that a row is in one hand at a time. */
const CALL_MS_MAX = 10_000;
const POLL_MS = 1_000;

/** Takes the next due row and says when it is to be tried again if nobody reports back, this process included. */
const CLAIM = `
  UPDATE webhook_outbox
  SET attempts = attempts + 1, due_at = now() + least(interval '1 hour', interval '30 seconds' * 2 ^ attempts)
  WHERE id = (SELECT id FROM webhook_outbox
              WHERE effect = $1 AND done_at IS NULL AND due_at <= now() AND attempts < 20
              ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
  RETURNING id, idempotency_key, payload::text`;

/** Performs what is due of all effects, or as much as it can until the signal. */
export async function drain(pool, signal) {
  await Promise.all([...effects].map(([effect, perform]) => drainOne(pool, signal, effect, perform)));
}

/** Does so again and again until the signal; resolves when the last rows in hand are done with. */
export async function run(pool, signal) {
  // Each effect by itself: a provider that hangs delays its own alone.
  const loops = [...effects].map(async ([effect, perform]) => {
    while (!signal.aborted) {
      const drained = drainOne(pool, signal, effect, perform);
      await drained.catch((error) => complain({ outbox: effect, error: String(error) }));
      // The signal ends it early.
      await sleep(POLL_MS, undefined, { signal }).catch(() => {});
    }
  });
  await Promise.all(loops);
}

async function drainOne(pool, signal, effect, perform) {
  while (!signal.aborted) {
    const { rows } = await pool.query(CLAIM, [effect]);
    if (rows.length === 0) return;
    const [{ id, idempotency_key: key, payload }] = rows;
    try {
      await perform(payload, key, AbortSignal.timeout(CALL_MS_MAX));
    } catch (error) {
      complain({ outbox: id, effect, error: String(error) });
      await pool.query("UPDATE webhook_outbox SET last_error = $2 WHERE id = $1", [id, String(error)]);
      continue;
    }
    await pool.query("UPDATE webhook_outbox SET done_at = now(), last_error = NULL WHERE id = $1", [id]);
  }
}

function complain(what) {
  console.error(JSON.stringify(what));
}
