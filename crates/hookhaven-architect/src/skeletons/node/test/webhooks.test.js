// What must hold of every source, against a database that these tests may write to (DATABASE_URL). Every run makes
// names of its own, so rows of others do not matter; no outbox may run on it meanwhile.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { Webhook } from "standardwebhooks";

import { sources } from "../handlers/index.js";
import { makePool } from "../lib/pool.js";
import { samples } from "./samples.js";

// Set before the app is imported: it reads its secrets when it starts. Two, as during a rotation.
const [CURRENT, PREVIOUS] = ["whsec_Y3VycmVudC1vZi10aGUtdGVzdHM=", "whsec_cHJldmlvdXMtb2YtdGhlLXRlc3Rz"];
for (const { secretVariable } of sources.values()) process.env[secretVariable] = `${CURRENT} ${PREVIOUS}`;
const { send, close } = await import("./send.js");

const pool = makePool();
before(async () => {
  await pool.query(await readFile(new URL("../schema.sql", import.meta.url), "utf8"));
});
after(async () => {
  await close();
  await pool.end();
});

/** Posts an event of the sample as the gateway would. */
async function post(sample, { id, object, at = "2026-01-01T00:00:00Z", secret = CURRENT, raw, headers = {} }) {
  raw ??= Buffer.from(sample.body.replace("OBJECT", object));
  const now = new Date();
  const signature = new Webhook(secret).sign(id, now, raw);
  const ours = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now / 1000)),
    "webhook-signature": signature,
    "hookhaven-source": sample.source,
    "hookhaven-event-type": sample.type,
    "hookhaven-attempt": "1",
    "hookhaven-received-at": at,
    "hookhaven-occurred-at": at,
  };
  return send(sample.source, { ...ours, ...headers }, raw);
}

const outcome = (answered) => [answered.status, answered.headers["webhook-outcome"]];

async function texts(query, ...values) {
  const { rows } = await pool.query({ text: query, values, rowMode: "array" });
  return rows.map(([text]) => text);
}

const inbox = (id) => texts("SELECT source FROM webhook_inbox WHERE webhook_id = $1", id);

const state = (sample, object) =>
  texts("SELECT webhook_id FROM webhook_state WHERE source = $1 AND object_id = $2", sample.source, object);

function effectsOf(sample, id) {
  const query = "SELECT effect FROM webhook_outbox WHERE starts_with(idempotency_key, $1) ORDER BY id";
  return texts(query, `${sample.source}:${id}:`);
}

for (const sample of samples) {
  const about = `${sample.source}, ${sample.type}`;
  const fresh = () => ({ id: `evt_${randomUUID()}`, object: `obj_${randomUUID()}` });

  test(`${about}: an event that comes again is done once`, async () => {
    const event = fresh();
    assert.deepEqual(outcome(await post(sample, event)), [200, "handled"]);
    const again = { ...event, headers: { "hookhaven-attempt": "2", "hookhaven-replay": "dlv_1" } };
    assert.deepEqual(outcome(await post(sample, again)), [200, "duplicate"]);
    assert.deepEqual(await effectsOf(sample, event.id), sample.effects);
  });

  test(`${about}: an event that comes five times at once is done once`, async () => {
    const event = fresh();
    const answers = await Promise.all(Array.from({ length: 5 }, () => post(sample, event)));
    const expected = [[200, "handled"], ...Array(4).fill([200, "duplicate"])];
    assert.deepEqual(answers.map(outcome).sort().reverse(), expected);
    assert.deepEqual(await effectsOf(sample, event.id), sample.effects);
  });

  test(`${about}: what the gateway did not sign is refused and leaves nothing`, async () => {
    const event = fresh();
    const forged = await post(sample, { ...event, secret: "whsec_c29tZWJvZHktZWxzZXMtc2VjcmV0" });
    const cut = await post(sample, { ...event, headers: { "webhook-signature": "v1," } });
    const unsigned = await post(sample, { ...event, headers: { "webhook-signature": "" } });
    assert.deepEqual([forged.status, cut.status, unsigned.status], [401, 401, 401]);
    assert.deepEqual(await inbox(event.id), []);
    assert.deepEqual(outcome(await post(sample, { ...event, secret: PREVIOUS })), [200, "handled"], "it still counts");
  });

  test(`${about}: what can never succeed is not asked for again`, async () => {
    for (const body of ["{", '{"id": "\\u0000"}']) {
      const event = fresh();
      const answer = await post(sample, { ...event, raw: Buffer.from(body) });
      assert.deepEqual([answer.status, answer.headers["webhook-delivery"]], [422, "abort-message"], body);
      assert.deepEqual(await inbox(event.id), [], "the inbox forgot it with the rest");
    }
  });

  if (!sample.keeps) continue;
  test(`${about}: what comes late does not replace what is newer`, async () => {
    const [newer, older] = [fresh(), fresh()];
    older.object = newer.object;
    await post(sample, { ...newer, at: "2026-01-01T00:00:02.5Z" });
    const late = await post(sample, { ...older, at: "2026-01-01T00:00:01Z" });
    assert.equal(late.status, 200, "it is handled: there is nothing to try again");
    assert.deepEqual(await state(sample, newer.object), [newer.id]);
  });

  test(`${about}: a clock that is ahead keeps nothing out for long`, async () => {
    const [ahead, next] = [fresh(), fresh()];
    next.object = ahead.object;
    await post(sample, { ...ahead, headers: { "hookhaven-occurred-at": "2999-01-01T00:00:00Z" } });
    await post(sample, { ...next, at: "2026-01-01T00:02:00Z" });
    assert.deepEqual(await state(sample, next.object), [next.id]);
  });

  test(`${about}: an effect that follows the state waits for the newest alone`, async () => {
    const [older, newer] = [fresh(), fresh()];
    newer.object = older.object;
    await post(sample, older);
    await post(sample, { ...newer, at: "2026-01-01T00:00:01Z" });
    const waiting = "SELECT idempotency_key FROM webhook_outbox WHERE follows = $1 AND done_at IS NULL ORDER BY id";
    const expected = sample.follows.map((effect) => `${sample.source}:${newer.id}:${effect}`);
    assert.deepEqual(await texts(waiting, `${sample.source}:${newer.object}`), expected);
  });
}

test("a test by the gateway is answered and leaves nothing", async () => {
  const id = `evt_${randomUUID()}`;
  assert.equal((await post(samples[0], { id, object: "obj", headers: { "hookhaven-test": "true" } })).status, 200);
  assert.deepEqual(await inbox(id), []);
  assert.equal((await post({ ...samples[0], source: "nobody" }, { id, object: "obj" })).status, 404);
});
