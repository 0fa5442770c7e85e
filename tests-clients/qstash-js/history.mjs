// The dead letter queue and the logs: lists, filters, cursors, deleting, retrying.
import assert from "node:assert/strict";

import { check, ended, refusal, spot, states } from "./harness.mjs";

/** Messages that failed once and for all, in order. */
async function die(client, count, request) {
  const ids = [];
  for (let n = 0; n < count; n += 1) {
    const { messageId } = await client.publish({ retries: 0, ...request });
    await ended(client, messageId);
    ids.push(messageId);
  }
  return ids;
}

const ids = ({ messages }) => messages.map(({ messageId }) => messageId);

export async function deadLetters(client) {
  await check("dlq.listMessages: what a dead letter says", async () => {
    const place = spot({ status: 500, headers: { "x-why": "because" }, body: Buffer.from([0xff, 0xfe]) });
    const [messageId] = await die(client, 1, { url: place.url, body: "b", headers: { "X-A": "1" }, label: "dead-one" });
    const { messages, cursor } = await client.dlq.listMessages({ filter: { messageId } });
    assert.equal(cursor, undefined);
    const [dead] = messages;
    assert.match(dead.dlqId, /^[A-Za-z0-9_-]+$/);
    const { url, body, method, maxRetries, label, responseStatus, responseBody, responseBodyBase64 } = dead;
    assert.deepEqual([url, body, method, maxRetries, label], [place.url, "b", "POST", 0, "dead-one"]);
    assert.deepEqual([responseStatus, responseBody, responseBodyBase64], [500, undefined, "//4="]);
    assert.deepEqual([dead.header["X-A"], dead.responseHeader["X-Why"]], [["1"], ["because"]]);
    await client.dlq.delete(dead.dlqId);
  });

  await check("dlq.listMessages: every filter", async () => {
    const place = spot(418);
    const name = "dead-group";
    await client.urlGroups.addEndpoints({ name, endpoints: [{ name: "e", url: place.url }] });
    const [plain] = await die(client, 1, { url: `${place.url}/a,b`, label: ["dead-x", "dead-y"] });
    const flowControl = { key: "dead-key", parallelism: 1 };
    const [flowing] = await die(client, 1, { url: place.url, flowControl });
    const [grouped] = await client.publish({ urlGroup: name, retries: 0 });
    await ended(client, grouped.messageId);
    const queued = await client.queue({ queueName: "dead-queue" }).enqueue({ url: place.url, retries: 0 });
    await ended(client, queued.messageId);
    const all = [plain, flowing, grouped.messageId, queued.messageId];

    const list = async (filter) => ids(await client.dlq.listMessages({ filter }));
    assert.deepEqual(await list({ url: `${place.url}/a,b` }), [plain]);
    assert.deepEqual(await list({ label: "dead-y" }), [plain]);
    assert.deepEqual(await list({ label: ["nobody", "dead-x"] }), [plain]);
    assert.deepEqual(await list({ flowControlKey: "dead-key" }), [flowing]);
    assert.deepEqual(await list({ urlGroup: name }), [grouped.messageId]);
    assert.deepEqual(await list({ queueName: "dead-queue" }), [queued.messageId]);
    assert.deepEqual(await list({ messageId: queued.messageId, label: "dead-x" }), []);
    // The oldest first.
    assert.deepEqual(await list({ responseStatus: 418 }), all);
    assert.deepEqual(await list({ responseStatus: [417, 418], callerIp: "127.0.0.1" }), all);
    assert.deepEqual(await list({ responseStatus: 418, callerIp: "203.0.113.1" }), []);
    const wide = { fromDate: new Date("2000-01-01"), toDate: new Date("2099-01-01") };
    assert.deepEqual(await list({ responseStatus: 418, ...wide }), all);
    assert.deepEqual(await list({ responseStatus: 418, toDate: new Date("2000-01-01") }), []);
    assert.deepEqual(await list({ scheduleId: "no" }), []);
    assert.deepEqual(await list({ messageId: plain, api: "llm" }), [plain]);

    const { messages } = await client.dlq.listMessages({ filter: { responseStatus: 418 } });
    const dlqIds = messages.map(({ dlqId }) => dlqId);
    assert.deepEqual(ids(await client.dlq.listMessages({ dlqIds: dlqIds.slice(1, 3) })), all.slice(1, 3));
    for (const filter of [{ host: "x" }, { path: "/" }, { labeel: "x" }]) {
      assert.equal((await refusal(client.dlq.listMessages({ filter }))).status, 400, JSON.stringify(filter));
    }
    assert.deepEqual(await client.dlq.delete({ filter: { responseStatus: 418 } }), { deleted: 4 });
    await client.urlGroups.delete(name);
    await client.queue({ queueName: "dead-queue" }).delete();
  });

  await check("dlq.listMessages: page by page", async () => {
    const all = await die(client, 5, { url: spot(500).url, label: "paged" });
    const seen = [];
    let cursor;
    do {
      const page = await client.dlq.listMessages({ filter: { label: "paged" }, count: 2, cursor });
      assert.ok(page.messages.length <= 2);
      seen.push(...ids(page));
      cursor = page.cursor;
    } while (cursor);
    assert.deepEqual(seen, all);
    assert.deepEqual(await client.dlq.delete({ filter: { label: "paged" } }), { deleted: 5 });
  });

  await check("dlq.delete: one, several, by filter, a few at a time; once each", async () => {
    const request = { url: spot(500).url, label: "deleted" };
    await die(client, 7, request);
    const { messages } = await client.dlq.listMessages({ filter: { label: "deleted" } });
    const [one, two, three] = messages.map(({ dlqId }) => dlqId);
    assert.deepEqual(await client.dlq.delete(one), { deleted: 1 });
    assert.equal((await refusal(client.dlq.delete(one))).status, 404);
    assert.deepEqual(await client.dlq.delete([one, two]), { deleted: 1 });
    assert.deepEqual(await client.dlq.deleteMany({ dlqIds: [three, "dlq_unknown"] }), { deleted: 1 });
    assert.deepEqual(await client.dlq.delete([]), { deleted: 0 });
    const some = await client.dlq.delete({ filter: { label: "deleted" }, count: 3 });
    assert.equal(some.deleted, 3);
    assert.ok(some.cursor);
    const rest = await client.dlq.delete({ filter: { label: "deleted" }, count: 3, cursor: some.cursor });
    assert.deepEqual(rest, { deleted: 1 });
    assert.deepEqual(await client.dlq.delete({ filter: { label: "deleted" } }), { deleted: 0 });
    const typo = await refusal(client.dlq.delete({ filter: { labeel: "deleted" } }));
    assert.equal(typo.status, 400);
  });

  await check("dlq.retry: one; a new message with everything of the old, and the entry is gone", async () => {
    const place = spot((number) => (number === 1 ? 500 : 200));
    const [old] = await die(client, 1, {
      url: `${place.url}/x?y=1`,
      body: "again",
      method: "PUT",
      headers: { "X-A": "1" },
      label: ["r1", "r2"],
    });
    const { messages } = await client.dlq.listMessages({ filter: { messageId: old } });
    const { responses } = await client.dlq.retry(messages[0].dlqId);
    assert.equal(responses.length, 1);
    const [{ messageId }] = responses;
    assert.notEqual(messageId, old);
    const got = await place.nth(2);
    assert.deepEqual([got.target, got.text, got.method], [`${place.path}/x?y=1`, "again", "PUT"]);
    assert.deepEqual([got.headers["x-a"], got.headers["upstash-retried"]], ["1", "0"]);
    assert.equal(got.headers["upstash-message-id"], messageId);
    assert.deepEqual(states(await ended(client, messageId)), ["CREATED", "ACTIVE", "DELIVERED"]);
    assert.deepEqual((await client.messages.get(messageId)).labels, ["r1", "r2"]);
    assert.deepEqual((await client.dlq.listMessages({ filter: { messageId: old } })).messages, []);
    assert.equal((await refusal(client.dlq.retry(messages[0].dlqId))).status, 404);
    assert.deepEqual(await client.dlq.delete([messages[0].dlqId]), { deleted: 0 });
  });

  await check("dlq.retry: several, by filter, all; what still fails is dead again", async () => {
    const place = spot(500);
    const dlqIds = async (label) =>
      (await client.dlq.listMessages({ filter: { label } })).messages.map(({ dlqId }) => dlqId);
    await die(client, 3, { url: place.url, label: "retried" });
    const first = await dlqIds("retried");
    assert.equal((await client.dlq.retry(first.slice(0, 2))).responses.length, 2);
    await place.nth(5);
    const byFilter = await client.dlq.retry({ filter: { label: "retried" }, count: 1 });
    assert.equal(byFilter.responses.length, 1);
    for (const { messageId } of byFilter.responses) await ended(client, messageId);
    const none = await client.dlq.retry({ filter: { label: "no-such" } });
    assert.deepEqual([none.responses, none.cursor], [[], undefined]);
    assert.deepEqual(await client.dlq.retry([]), { responses: [] });

    place.answer = 200;
    let [retried, cursor] = [0, undefined];
    do {
      const page = await client.dlq.retry({ all: true, count: 2, cursor });
      retried += page.responses.length;
      cursor = page.cursor;
    } while (cursor);
    assert.ok(retried >= 3, `${retried}`);
    assert.deepEqual(await dlqIds("retried"), []);
  });

  await check("dlq.delete: all, until no cursor is left", async () => {
    await die(client, 3, { url: spot(500).url });
    let cursor;
    do {
      ({ cursor } = await client.dlq.delete({ all: true, count: 2, cursor }));
    } while (cursor);
    assert.deepEqual((await client.dlq.listMessages()).messages, []);
  });
}

export async function logs(client) {
  await check("logs: every filter", async () => {
    const place = spot();
    const name = "logged-group";
    await client.urlGroups.addEndpoints({ name, endpoints: [{ url: place.url }] });
    const url = `${place.url}/logged?a=b,c`;
    const flowControl = { key: "logged-key", rate: 10, period: "1m" };
    const plain = await client.publish({ url, label: ["logged-1", "logged-2"], flowControl, body: "shown" });
    const [grouped] = await client.publish({ urlGroup: name });
    const queued = await client.queue({ queueName: "logged-queue" }).enqueue({ url: place.url });
    for (const { messageId } of [plain, grouped, queued]) await ended(client, messageId);

    const list = async (filter) => {
      const { logs: found, events } = await client.logs({ filter });
      assert.deepEqual(found, events);
      return new Set(found.map(({ messageId }) => messageId));
    };
    const only = async (filter, ...of) =>
      assert.deepEqual(await list(filter), new Set(of.map(({ messageId }) => messageId)), JSON.stringify(filter));
    await only({ messageId: plain.messageId }, plain);
    await only({ url }, plain);
    await only({ label: "logged-2" }, plain);
    await only({ flowControlKey: ["logged-key", "other"] }, plain);
    await only({ path: `${place.path}/logged` }, plain);
    await only({ urlGroup: name }, grouped);
    await only({ topicName: name }, grouped);
    await only({ queueName: "logged-queue" }, queued);
    await only({ host: place.url.split("/")[2], label: "logged-1", callerIp: "127.0.0.1" }, plain);
    await only({ label: "logged-1", callerIp: "203.0.113.1" });
    await only({ label: "logged-1", toDate: new Date("2000-01-01") });
    await only({ label: "logged-1", fromDate: new Date("2000-01-01"), toDate: new Date("2099-01-01") }, plain);
    await only({ scheduleId: "no" });
    await only({ label: "logged-1", api: "llm" }, plain);
    const both = await client.events({ messageIds: [plain.messageId, queued.messageId] });
    assert.equal(both.events.length, 6);
    for (const state of ["CREATED", "ACTIVE", "DELIVERED"]) {
      const { logs: found } = await client.logs({ filter: { label: "logged-1", state } });
      assert.deepEqual(states(found), [state]);
    }
    const progress = await client.logs({ filter: { label: "logged-1", state: "IN_PROGRESS" } });
    assert.deepEqual(states(progress.logs), ["ACTIVE"]);
    assert.equal((await refusal(client.logs({ filter: { labeel: "x" } }))).status, 400);

    const [entry] = (await client.logs({ filter: { label: "logged-1", state: "CREATED" } })).logs;
    assert.ok(Number.isInteger(entry.time));
    assert.deepEqual([entry.url, entry.method, entry.maxRetries], [url, "POST", 3]);
    assert.equal(Buffer.from(entry.body, "base64").toString(), "shown");
    assert.deepEqual([entry.flowControlKey, entry.rate, entry.period], ["logged-key", 10, 60]);
    assert.deepEqual(entry.labels, ["logged-1", "logged-2"]);
    await client.urlGroups.delete(name);
    await client.queue({ queueName: "logged-queue" }).delete();
  });

  await check("logs: the latest first, page by page, while more comes in", async () => {
    const place = spot();
    const label = "paged-logs";
    const sent = [];
    for (let n = 0; n < 5; n += 1) sent.push((await client.publish({ url: place.url, label })).messageId);
    for (const messageId of sent) await ended(client, messageId);
    const seen = [];
    let cursor;
    do {
      const page = await client.logs({ filter: { label }, count: 4, cursor });
      assert.ok(page.logs.length <= 4);
      seen.push(...page.logs);
      cursor = page.cursor;
      await ended(client, (await client.publish({ url: place.url, label })).messageId);
    } while (cursor);
    const keys = seen.map(({ messageId, state }) => `${messageId} ${state}`);
    assert.equal(new Set(keys).size, keys.length);
    const expected = sent.flatMap((id) => ["CREATED", "ACTIVE", "DELIVERED"].map((state) => `${id} ${state}`));
    assert.deepEqual(new Set(keys), new Set(expected));
    // In the order of what was recorded: of the messages as they came in, of one as it went.
    const created = seen.filter(({ state }) => state === "CREATED").map(({ messageId }) => messageId);
    assert.deepEqual(created, [...sent].reverse());
    for (const id of sent) {
      const own = seen.filter(({ messageId }) => messageId === id);
      assert.deepEqual(states(own), ["DELIVERED", "ACTIVE", "CREATED"]);
    }
    const all = await client.logs({ filter: { label } });
    assert.equal(all.cursor, undefined);
    assert.ok(all.logs.length > seen.length);
    const counted = await client.logs({ filter: { label, count: 2 } });
    assert.equal(counted.logs.length, 2);
    assert.deepEqual((await client.logs({ filter: { label: "no-such" } })).logs, []);
  });
}
