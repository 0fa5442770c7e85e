// What must hold of every source, against a real database (DATABASE_URL). Every run makes names of its own, so rows
// of others do not matter.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import pg from "pg";
import { Webhook } from "standardwebhooks";

import { sources } from "../handlers/index.js";
import { samples } from "./samples.js";

// Set before the app is imported: it reads its secrets when it starts. Two, as during a rotation.
const [CURRENT, PREVIOUS] = ["whsec_Y3VycmVudC1vZi10aGUtdGVzdHM=", "whsec_cHJldmlvdXMtb2YtdGhlLXRlc3Rz"];
for (const { secretVariable } of sources.values()) process.env[secretVariable] = `${CURRENT} ${PREVIOUS}`;
const { send, close } = await import("./send.js");

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
before(async () => {
  assert.ok(process.env.DATABASE_URL, "DATABASE_URL names a PostgreSQL that these tests may write to");
  await pool.query(await readFile(new URL("../schema.sql", import.meta.url), "utf8"));
});
after(async () => {
  await close();
  await pool.end();
});

/** Posts an event of the sample as the gateway would. */
async function post(sample, { id, object, at = "2026-01-01T00:00:00Z", secret = CURRENT, raw, headers = {} }) {
  raw ??= Buffer.from(sample.body.replace("OBJECT", object));
  const signature = new Webhook(secret).sign(id, new Date(), raw);
  const ours = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(Date.now() / 1000)),
    "webhook-signature": signature,
    "hookhaven-source": sample.source,
    "hookhaven-event-type": sample.type,
    "hookhaven-attempt": "1",
    "hookhaven-received-at": at,
    "hookhaven-occurred-at": at,
  };
  return send(sample.source, { ...ours, ...headers }, raw);
}

async function counted(table, column, value) {
  const { rows } = await pool.query(`SELECT count(*)::int AS n FROM ${table} WHERE ${column} = $1`, [value]);
  return rows[0].n;
}

async function effectsOf(sample, id) {
  const prefix = `${sample.source}:${id}:`;
  const text = "SELECT effect FROM webhook_outbox WHERE starts_with(idempotency_key, $1) ORDER BY id";
  return (await pool.query(text, [prefix])).rows.map((row) => row.effect);
}

for (const sample of samples) {
  const about = `${sample.source}, ${sample.type}`;
  const fresh = () => ({ id: `evt_${randomUUID()}`, object: `obj_${randomUUID()}` });

  test(`${about}: an event that comes again is done once`, async () => {
    const event = fresh();
    assert.deepEqual(await post(sample, event).then((a) => [a.status, a.text]), [200, "handled"]);
    const again = { ...event, headers: { "hookhaven-attempt": "2", "hookhaven-replay": "dlv_1" } };
    assert.deepEqual(await post(sample, again).then((a) => [a.status, a.text]), [200, "duplicate"]);
    assert.deepEqual(await effectsOf(sample, event.id), sample.effects);
  });

  test(`${about}: an event that comes five times at once is done once`, async () => {
    const event = fresh();
    const answers = await Promise.all(Array.from({ length: 5 }, () => post(sample, event)));
    assert.deepEqual(answers.map((a) => a.status), [200, 200, 200, 200, 200]);
    assert.equal(answers.filter((a) => a.text === "handled").length, 1);
    assert.deepEqual(await effectsOf(sample, event.id), sample.effects);
  });

  test(`${about}: what the gateway did not sign is refused and leaves nothing`, async () => {
    const event = fresh();
    const forged = await post(sample, { ...event, secret: "whsec_c29tZWJvZHktZWxzZXMtc2VjcmV0" });
    const cut = await post(sample, { ...event, headers: { "webhook-signature": "v1," } });
    const unsigned = await post(sample, { ...event, headers: { "webhook-signature": "" } });
    assert.deepEqual([forged.status, cut.status, unsigned.status], [401, 401, 401]);
    assert.equal(await counted("webhook_inbox", "webhook_id", event.id), 0);
    assert.equal((await post(sample, { ...event, secret: PREVIOUS })).text, "handled", "the previous secret counts");
  });

  test(`${about}: what can never succeed is not asked for again`, async () => {
    for (const body of ["{", '{"id": "\\u0000"}']) {
      const event = fresh();
      const answer = await post(sample, { ...event, raw: Buffer.from(body) });
      assert.deepEqual([answer.status, answer.headers["webhook-delivery"]], [422, "abort-message"], body);
      assert.equal(await counted("webhook_inbox", "webhook_id", event.id), 0, "the inbox forgot it with the rest");
    }
  });

  if (!sample.keeps) continue;
  test(`${about}: what comes late does not replace what is newer`, async () => {
    const [newer, older] = [fresh(), fresh()];
    older.object = newer.object;
    await post(sample, { ...newer, at: "2026-01-01T00:00:02.5Z" });
    const late = await post(sample, { ...older, at: "2026-01-01T00:00:01Z" });
    assert.equal(late.status, 200, "it is handled: there is nothing to try again");
    const { rows } = await pool.query(
      "SELECT webhook_id FROM webhook_state WHERE source = $1 AND object_id = $2",
      [sample.source, newer.object],
    );
    assert.deepEqual(rows, [{ webhook_id: newer.id }]);
  });
}

test("a test by the gateway is answered and leaves nothing", async () => {
  const id = `evt_${randomUUID()}`;
  assert.equal((await post(samples[0], { id, object: "obj", headers: { "hookhaven-test": "true" } })).status, 200);
  assert.equal(await counted("webhook_inbox", "webhook_id", id), 0);
  assert.equal((await post({ ...samples[0], source: "nobody" }, { id, object: "obj" })).status, 404);
});
