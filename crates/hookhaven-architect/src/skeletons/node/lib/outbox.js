// Performs what the handlers decided: each row until it succeeded, under the same idempotency key every time.

import { effects } from "./effects.js";

/** How long one call may take. Shorter than the first pause below, so that a row is in one hand at a time. */
const CALL_MS_MAX = 10_000;
const POLL_MS = 1_000;

/** Takes the next due row and says when it is to be tried again if nobody reports back, this process included. */
const CLAIM = `
  UPDATE webhook_outbox
  SET attempts = attempts + 1, due_at = now() + least(interval '1 hour', interval '30 seconds' * 2 ^ attempts)
  WHERE id = (SELECT id FROM webhook_outbox
              WHERE done_at IS NULL AND due_at <= now() AND attempts < 20
              ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
  RETURNING id, effect, idempotency_key, payload::text`;

/** Performs everything that is due; answers how many rows were tried. */
export async function drain(pool) {
  for (let tried = 0; ; tried += 1) {
    const { rows } = await pool.query(CLAIM);
    if (rows.length === 0) return tried;
    const [{ id, effect, idempotency_key: key, payload }] = rows;
    try {
      const perform = effects.get(effect);
      if (!perform) throw new Error(`nothing performs ${effect}`);
      await perform(payload, key, AbortSignal.timeout(CALL_MS_MAX));
      await pool.query("UPDATE webhook_outbox SET done_at = now(), last_error = NULL WHERE id = $1", [id]);
    } catch (error) {
      console.error(JSON.stringify({ outbox: id, effect, error: String(error) }));
      await pool.query("UPDATE webhook_outbox SET last_error = $2 WHERE id = $1", [id, String(error)]);
    }
  }
}

/** Drains again and again until the signal; resolves when the last row in hand is done with. */
export async function run(pool, signal) {
  while (!signal.aborted) {
    await drain(pool).catch((error) => console.error(JSON.stringify({ outbox: "drain", error: String(error) })));
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      signal.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
    });
  }
}
