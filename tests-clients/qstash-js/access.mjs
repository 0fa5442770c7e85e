// Who may do what, what errors look like, signatures and their keys, flow control.
import assert from "node:assert/strict";
import { Client, QstashError, Receiver, SignatureError } from "@upstash/qstash";

import { check, ended, gate, refusal, spot, statuses, until } from "./harness.mjs";

const READ_TOKEN = process.env.READ_TOKEN;

export async function errors(client) {
  await check("a wrong token is a QstashError 401", async () => {
    const stranger = new Client({ token: "not-the-token", retry: false });
    const error = await refusal(stranger.publish({ url: "https://example.com", body: "x" }));
    assert.ok(error instanceof QstashError);
    assert.equal(error.status, 401);
    assert.match(JSON.parse(error.message).error, /unable to authenticate/);
    assert.equal((await refusal(stranger.schedules.list())).status, 401);
  });

  await check("a read-only token reads everything and writes nothing", async () => {
    const reader = new Client({ token: READ_TOKEN, retry: false });
    const reads = [
      () => reader.logs(),
      () => reader.dlq.listMessages(),
      () => reader.schedules.list(),
      () => reader.queue().list(),
      () => reader.urlGroups.list(),
      () => reader.flowControl.getGlobalParallelism(),
    ];
    for (const read of reads) await read();
    const writes = [
      () => reader.publish({ url: "https://example.com" }),
      () => reader.batch([{ url: "https://example.com" }]),
      () => reader.messages.cancel({ all: true }),
      () => reader.dlq.delete({ all: true }),
      () => reader.queue({ queueName: "q" }).upsert({}),
      () => reader.flowControl.pause("k"),
      () => reader.http.request({ method: "POST", path: ["v2", "keys", "rotate"] }),
    ];
    for (const write of writes) assert.equal((await refusal(write())).status, 403, `${write}`);
  });

  await check("errors are asked for once, and say why in JSON", async () => {
    const { error, statuses: seen } = await statuses(() => client.publish({ url: "ftp://x", body: "y" }));
    assert.deepEqual(seen, [400]);
    assert.equal(typeof JSON.parse(error.message).error, "string");
    const unknown = await refusal(client.http.request({ method: "GET", path: ["v2", "no-such-thing"] }));
    assert.equal(unknown.status, 404);
    assert.equal(typeof JSON.parse(unknown.message).error, "string");
    const method = await refusal(client.http.request({ method: "PUT", path: ["v2", "keys"] }));
    assert.equal(method.status, 405);
  });

  await check("what is too large is refused, and uploaded once", async () => {
    const body = "x".repeat(3 << 20);
    const { error, statuses: seen } = await statuses(() => client.publish({ url: "https://example.com", body }));
    assert.equal(seen.length, 1, `${seen}`);
    assert.ok([412, 413].includes(error.status), `${error.status}`);
    assert.match(JSON.parse(error.message).error, /quota maxMessageSize exceeded/);
    const entry = { url: "https://example.com", body };
    const batch = await statuses(() => client.batch([entry, { url: "https://example.com", body: "small" }]));
    assert.equal(batch.error.status, error.status);
  });
}

/** Publishes to a place of its own; what a receiver needs of what came. */
async function delivered(client, body = "a body") {
  const place = spot();
  await client.publish({ url: `${place.url}/signed?x=1`, body });
  const got = await place.first();
  return { signature: got.headers["upstash-signature"], body: got.text, url: `${place.url}/signed?x=1` };
}

export async function signatures(client) {
  await check("Receiver: takes what was delivered, and nothing that was changed", async () => {
    const receiver = new Receiver({
      currentSigningKey: process.env.QSTASH_CURRENT_SIGNING_KEY,
      nextSigningKey: process.env.QSTASH_NEXT_SIGNING_KEY,
    });
    for (const body of ["a body", '{"a":"ü"}', ""]) {
      assert.equal(await receiver.verify(await delivered(client, body)), true, body);
    }
    const good = await delivered(client);
    const changes = [
      { body: "another body" },
      { url: `${good.url}&y=2` },
      { signature: `${good.signature.slice(0, -4)}AAAA` },
      { signature: "not-a-token" },
    ];
    for (const change of changes) {
      assert.ok((await refusal(receiver.verify({ ...good, ...change }))) instanceof SignatureError, JSON.stringify(change));
    }
    const stranger = new Receiver({ currentSigningKey: "sig_other", nextSigningKey: "sig_another" });
    assert.ok((await refusal(stranger.verify(good))) instanceof SignatureError);
    // Its keys from the environment, as in the documentation.
    assert.equal(await new Receiver().verify(good), true);
  });

  await check("signing keys: shown, rotated; receivers with the old pair still verify", async () => {
    const keys = (method, ...path) => client.http.request({ method, path: ["v2", "keys", ...path] });
    const old = await keys("GET");
    assert.deepEqual(old, {
      current: process.env.QSTASH_CURRENT_SIGNING_KEY,
      next: process.env.QSTASH_NEXT_SIGNING_KEY,
    });
    const rotated = await keys("POST", "rotate");
    assert.equal(rotated.current, old.next);
    assert.ok(![old.current, old.next].includes(rotated.next) && rotated.next.length >= 32);
    assert.deepEqual(await keys("GET"), rotated);
    const receiver = ({ current, next }) => new Receiver({ currentSigningKey: current, nextSigningKey: next });
    const after = await delivered(client);
    assert.equal(await receiver(old).verify(after), true);
    assert.equal(await receiver(rotated).verify(after), true);
    await keys("POST", "rotate");
    const late = await delivered(client);
    assert.ok((await refusal(receiver(old).verify(late))) instanceof SignatureError);
    assert.equal(await receiver(rotated).verify(late), true);
  });
}

export async function flowControl(client) {
  await check("flowControl: what a key says of itself", async () => {
    const flow = { key: "flow-info", parallelism: 5, rate: 10, period: 60 };
    const place = spot();
    const { messageId } = await client.publish({ url: place.url, flowControl: flow });
    await ended(client, messageId);
    const { ratePeriodStart, ...info } = await client.flowControl.get("flow-info");
    assert.ok(ratePeriodStart > 1_600_000_000 && ratePeriodStart < 10_000_000_000, `${ratePeriodStart}`);
    assert.deepEqual(info, {
      flowControlKey: "flow-info",
      waitListSize: 0,
      parallelismMax: 5,
      parallelismCount: 0,
      rateMax: 10,
      rateCount: 1,
      ratePeriod: 60,
      isPaused: false,
      isPinnedParallelism: false,
      isPinnedRate: false,
    });
    assert.equal((await refusal(client.flowControl.get("flow-unknown"))).status, 404);
    const all = await client.flowControl.getGlobalParallelism();
    assert.deepEqual(Object.keys(all).sort(), ["parallelismCount", "parallelismMax"]);
  });

  await check("flowControl: parallelism holds the others back", async () => {
    const { opened, open } = gate();
    const place = spot(() => opened.then(() => 200));
    const request = { url: place.url, flowControl: { key: "flow-wide", parallelism: 2 } };
    for (let n = 0; n < 5; n += 1) await client.publish(request);
    await place.nth(2);
    const busy = await until("those that wait", async () => {
      const info = await client.flowControl.get("flow-wide");
      return info.waitListSize === 3 ? info : undefined;
    });
    assert.deepEqual([busy.parallelismCount, busy.parallelismMax, place.received.length], [2, 2, 2]);
    assert.ok((await client.flowControl.getGlobalParallelism()).parallelismCount >= 2);
    open();
    await place.nth(5);
  });

  await check("flowControl: a rate is a rate, reset it goes on at once", async () => {
    const place = spot();
    const request = { url: place.url, flowControl: { key: "flow-rate", rate: 2, period: "1d" } };
    for (let n = 0; n < 4; n += 1) await client.publish(request);
    await place.nth(2);
    const full = await client.flowControl.get("flow-rate");
    assert.deepEqual([full.rateCount, full.rateMax, full.ratePeriod, full.waitListSize], [2, 2, 86_400, 2]);
    await client.flowControl.resetRate("flow-rate");
    await place.nth(4);
  });

  await check("flowControl: paused and resumed", async () => {
    const place = spot();
    const key = "flow paused/x";
    await client.flowControl.pause(key);
    assert.equal((await client.flowControl.get(key)).isPaused, true);
    await client.publish({ url: place.url, flowControl: { key, parallelism: 1 } });
    const other = spot();
    await client.publish({ url: other.url });
    await other.first();
    assert.equal(place.received.length, 0);
    assert.equal((await client.flowControl.get(key)).waitListSize, 1);
    await client.flowControl.resume(key);
    await place.first();
    assert.equal((await client.flowControl.get(key)).isPaused, false);
  });

  await check("flowControl: pinned against what messages say, until unpinned", async () => {
    const key = "flow-pinned";
    const send = async (parallelism, rate) => {
      const { messageId } = await client.publish({ url: spot().url, flowControl: { key, parallelism, rate } });
      await ended(client, messageId);
      return client.flowControl.get(key);
    };
    await client.flowControl.pin(key, { parallelism: 3, rate: 20, period: 120 });
    const pinned = await send(7, 70);
    assert.deepEqual([pinned.parallelismMax, pinned.rateMax, pinned.ratePeriod], [3, 20, 120]);
    assert.deepEqual([pinned.isPinnedParallelism, pinned.isPinnedRate], [true, true]);
    await client.flowControl.unpin(key, { parallelism: true });
    const kept = await client.flowControl.get(key);
    assert.deepEqual([kept.parallelismMax, kept.isPinnedParallelism, kept.isPinnedRate], [3, false, true]);
    const half = await send(7, 70);
    assert.deepEqual([half.parallelismMax, half.rateMax], [7, 20]);
    await client.flowControl.unpin(key, { parallelism: true, rate: true });
    const free = await send(8, 80);
    assert.deepEqual([free.parallelismMax, free.rateMax, free.ratePeriod, free.isPinnedRate], [8, 80, 1, false]);
    assert.equal((await refusal(client.flowControl.pin(key, { parallelism: "many" }))).status, 400);
  });

  await check("flowControl: what is none is refused", async () => {
    const bad = [{ "Upstash-Flow-Control-Value": "parallelism=0" }, { "Upstash-Flow-Control-Value": "nonsense" }, {}];
    for (const headers of bad) {
      const request = { url: "https://example.com/", headers: { "Upstash-Flow-Control-Key": "k", ...headers } };
      assert.equal((await refusal(client.publish(request))).status, 400, JSON.stringify(headers));
    }
    const old = { key: "flow-old", ratePerSecond: 5 };
    const { messageId } = await client.publish({ url: spot().url, flowControl: old });
    const message = await client.messages.get(messageId);
    assert.deepEqual([message.rate, message.ratePerSecond, message.period], [5, 5, 1]);
  });
}
