// Messages by id, and cancelling: one, several, by every filter, all.
import assert from "node:assert/strict";

import { check, ended, gate, origin, refusal, spot, states, until } from "./harness.mjs";

const far = (client, more = {}) => client.publish({ url: "https://example.com/waiting", delay: "1d", ...more });

export async function messages(client) {
  await check("messages.get: at once, and still when it has ended; unknown is 404", async () => {
    const place = spot();
    const { messageId } = await client.publish({ url: place.url, body: "x" });
    assert.equal((await client.messages.get(messageId)).messageId, messageId);
    await ended(client, messageId);
    assert.equal((await client.messages.get(messageId)).body, "x");
    assert.equal((await refusal(client.messages.get("msg_unknown"))).status, 404);
    assert.equal((await refusal(client.messages.get("msg_00000000000000000000000000"))).status, 404);
  });

  await check("messages.cancel: one; a second time 404", async () => {
    const { messageId } = await far(client);
    assert.deepEqual(await client.messages.cancel(messageId), { cancelled: 1 });
    assert.deepEqual(states(await ended(client, messageId)), ["CREATED", "CANCEL_REQUESTED", "CANCELED"]);
    assert.equal((await refusal(client.messages.cancel(messageId))).status, 404);
    const place = spot();
    const done = await client.publish({ url: place.url });
    await ended(client, done.messageId);
    assert.equal((await refusal(client.messages.cancel(done.messageId))).status, 404);
  });

  await check("messages.cancel: several; only what was pending counts", async () => {
    const ids = [];
    for (let n = 0; n < 3; n += 1) ids.push((await far(client)).messageId);
    const asked = [...ids, "msg_unknown", "msg_00000000000000000000000000"];
    assert.deepEqual(await client.messages.cancel(asked), { cancelled: 3 });
    assert.deepEqual(await client.messages.cancel({ messageIds: ids }), { cancelled: 0 });
    assert.deepEqual(await client.messages.cancel([]), { cancelled: 0 });
  });

  await check("messages.delete, deleteMany: the old names", async () => {
    const [a, b] = [await far(client), await far(client)];
    await client.messages.delete(a.messageId);
    assert.equal(await client.messages.deleteMany([a.messageId, b.messageId]), 1);
  });

  await check("messages.cancel: by every filter, and nothing beside", async () => {
    const name = "cancel-group";
    const endpoints = [{ url: "https://one.example.com/grouped" }];
    await client.urlGroups.addEndpoints({ name, endpoints });
    const keep = await far(client, { url: "https://kept.example.org/kept" });
    const kinds = [
      [{ url: "https://one.example.com/a?b=c,d" }, { url: "https://one.example.com/a?b=c,d" }],
      [{ url: "https://host.example.com:8443/x" }, { host: "host.example.com:8443" }],
      [{ url: "https://host.example.com/x" }, { host: "host.example.com" }],
      [{ url: "https://one.example.com/a/path?b=1" }, { path: "/a/path" }],
      [{ label: ["cancel-1", "cancel-2"] }, { label: "cancel-2" }],
      [{ label: "cancel-3" }, { label: ["cancel-4", "cancel-3"] }],
      [{ flowControl: { key: "cancel-key", parallelism: 1 } }, { flowControlKey: "cancel-key" }],
      [{ url: undefined, urlGroup: name }, { urlGroup: name }],
      [{ url: "https://one.example.com/both", label: "both" }, { label: "both", host: "one.example.com", callerIp: "127.0.0.1" }],
    ];
    for (const [request, filter] of kinds) {
      await far(client, request);
      assert.deepEqual(await client.messages.cancel({ filter }), { cancelled: 1 }, JSON.stringify(filter));
      assert.deepEqual(await client.messages.cancel({ filter }), { cancelled: 0 }, JSON.stringify(filter));
    }
    await client.queue({ queueName: "cancel-queue" }).upsert({ paused: true });
    await client.queue({ queueName: "cancel-queue" }).enqueue({ url: "https://one.example.com/queued" });
    assert.deepEqual(await client.messages.cancel({ filter: { queueName: "cancel-queue" } }), { cancelled: 1 });
    await client.queue({ queueName: "cancel-queue" }).delete();
    const none = [{ label: "cancel-1", host: "elsewhere.example.com" }, { callerIp: "203.0.113.9" }, { scheduleId: "no" }];
    for (const filter of none) assert.deepEqual(await client.messages.cancel({ filter }), { cancelled: 0 });
    await client.urlGroups.delete(name);
    assert.deepEqual(await client.messages.cancel(keep.messageId), { cancelled: 1 });
  });

  await check("messages.cancel: by time of creation", async () => {
    const { messageId } = await far(client, { label: "timed" });
    const { createdAt } = await client.messages.get(messageId);
    const before = { label: "timed", fromDate: new Date("2000-01-01"), toDate: createdAt - 1 };
    assert.deepEqual(await client.messages.cancel({ filter: before }), { cancelled: 0 });
    const exactly = { label: "timed", fromDate: createdAt, toDate: new Date(createdAt) };
    assert.deepEqual(await client.messages.cancel({ filter: exactly }), { cancelled: 1 });
  });

  await check("messages.cancel: at most as many as counted, then all", async () => {
    const ids = [];
    for (let n = 0; n < 5; n += 1) ids.push((await far(client, { label: "counted" })).messageId);
    assert.deepEqual(await client.messages.cancel({ filter: { label: "counted" }, count: 2 }), { cancelled: 2 });
    assert.deepEqual(await client.messages.cancel({ all: true, count: 1 }), { cancelled: 1 });
    assert.deepEqual(await client.messages.cancel({ all: true }), { cancelled: 2 });
    assert.equal(await client.messages.deleteAll(), 0);
    for (const id of ids) assert.equal(states(await ended(client, id)).at(-1), "CANCELED");
  });

  await check("messages.cancel: a filter that nobody knows cancels nothing", async () => {
    const { messageId } = await far(client, { label: "typo" });
    assert.equal((await refusal(client.messages.cancel({ filter: { labeel: "typo" } }))).status, 400);
    assert.deepEqual(await client.messages.cancel(messageId), { cancelled: 1 });
  });

  await check("messages.cancel: in flight, it may still be delivered; else it is not tried again", async () => {
    for (const [status, last] of [[200, "DELIVERED"], [500, "CANCELED"]]) {
      const { opened, open } = gate();
      const place = spot(() => opened.then(() => status));
      const { messageId } = await client.publish({ url: place.url, retries: 3, retryDelay: "1" });
      await place.first();
      assert.deepEqual(await client.messages.cancel(messageId), { cancelled: 1 });
      const asked = await client.logs({ filter: { messageId, state: "CANCEL_REQUESTED" } });
      assert.equal(asked.logs.length, 1);
      open();
      assert.equal(states(await ended(client, messageId)).at(-1), last);
      assert.equal(place.received.length, 1);
      assert.deepEqual((await client.dlq.listMessages({ filter: { messageId } })).messages, []);
    }
  });

  await check("messages.cancel: while it waits for its retry", async () => {
    const place = spot(500);
    const { messageId } = await client.publish({ url: place.url });
    await until("the plan of a retry", async () => {
      return (await client.logs({ filter: { messageId, state: "RETRY" } })).logs[0];
    });
    assert.deepEqual(await client.messages.cancel({ filter: { url: `${origin}${place.path}` } }), { cancelled: 1 });
    assert.equal(states(await ended(client, messageId)).at(-1), "CANCELED");
  });
}
