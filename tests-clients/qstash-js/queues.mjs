// Queues and URL groups: what they are, and how messages go through them.
import assert from "node:assert/strict";

import { check, ended, gate, refusal, spot, until } from "./harness.mjs";

export async function queues(client) {
  await check("queue: upsert, get, list, delete", async () => {
    const queue = client.queue({ queueName: "q.one_1-a" });
    await queue.upsert({ parallelism: 2 });
    const made = await queue.get();
    const { createdAt, updatedAt, ...rest } = made;
    assert.deepEqual(rest, { name: "q.one_1-a", parallelism: 2, lag: 0, paused: false });
    assert.ok(createdAt > 1_600_000_000_000 && updatedAt >= createdAt);
    await queue.upsert({ parallelism: 5, paused: true });
    const changed = await queue.get();
    assert.deepEqual([changed.parallelism, changed.paused, changed.createdAt], [5, true, createdAt]);
    const all = await client.queue().list();
    assert.ok(all.some(({ name }) => name === "q.one_1-a"));
    await queue.delete();
    await queue.delete();
    assert.equal((await refusal(queue.get())).status, 404);
    assert.equal((await refusal(queue.pause())).status, 404);
  });

  await check("queue: what is none is refused", async () => {
    assert.equal((await refusal(client.queue({ queueName: "a b" }).upsert({}))).status, 400);
    assert.equal((await refusal(client.queue({ queueName: "q" }).upsert({ parallelism: 0 }))).status, 400);
    assert.equal((await refusal(client.queue({ queueName: "ü" }).enqueue({ url: "https://example.com" }))).status, 400);
  });

  await check("enqueue, enqueueJSON: the queue is made, the message says so", async () => {
    const place = spot();
    const queue = client.queue({ queueName: "made-by-enqueue" });
    const raw = await queue.enqueue({ url: place.url, body: "raw", headers: { "X-A": "1" }, method: "PATCH" });
    const json = await queue.enqueueJSON({ url: place.url, body: { b: 2 } });
    await place.nth(2);
    const [first, second] = place.received;
    assert.deepEqual([first.text, first.method, first.headers["x-a"]], ["raw", "PATCH", "1"]);
    assert.deepEqual([second.text, second.headers["content-type"]], ['{"b":2}', "application/json"]);
    assert.equal((await queue.get()).parallelism, 1);
    for (const { messageId } of [raw, json]) {
      assert.equal((await client.messages.get(messageId)).queueName, "made-by-enqueue");
    }
    await queue.delete();
  });

  await check("queue: first in, first out, one at a time, retries included", async () => {
    const queue = client.queue({ queueName: "in-order" });
    let open = 0;
    const together = [];
    const place = spot(async (number) => {
      open += 1;
      together.push(open);
      await new Promise((turn) => setImmediate(turn));
      open -= 1;
      return number % 3 === 1 ? 500 : 200;
    });
    await queue.upsert({ parallelism: 1, paused: true });
    const bodies = Array.from({ length: 10 }, (_, number) => `${number}`);
    for (const body of bodies) await queue.enqueue({ url: place.url, body, retries: 3, retryDelay: "1" });
    assert.equal((await queue.get()).lag, 10);
    await queue.resume();
    await until("an empty queue", async () => (await queue.get()).lag === 0);
    const came = place.received.map(({ text }) => text);
    assert.deepEqual(came.filter((text, at) => text !== came[at - 1]), bodies);
    assert.equal(Math.max(...together), 1);
    await queue.delete();
  });

  await check("queue: parallelism is how many are under way", async () => {
    const queue = client.queue({ queueName: "two-wide" });
    await queue.upsert({ parallelism: 2, paused: true });
    const { opened, open } = gate();
    const place = spot(() => opened.then(() => 200));
    for (let n = 0; n < 5; n += 1) await queue.enqueue({ url: place.url });
    await queue.resume();
    await place.nth(2);
    // Something that came later and overtakes nothing shows that there was time for a third.
    const other = spot();
    await client.publish({ url: other.url });
    await other.first();
    assert.equal(place.received.length, 2);
    assert.equal((await queue.get()).lag, 5);
    open();
    await place.nth(5);
    await queue.delete();
  });

  await check("queue: paused accepts and starts nothing, resumed it goes on", async () => {
    const queue = client.queue({ queueName: "paused" });
    await queue.upsert({ parallelism: 1 });
    await queue.pause();
    await queue.pause();
    assert.equal((await queue.get()).paused, true);
    const [place, other] = [spot(), spot()];
    const { messageId } = await queue.enqueue({ url: place.url });
    await client.publish({ url: other.url });
    await other.first();
    assert.equal(place.received.length, 0);
    await queue.resume();
    await queue.resume();
    await place.first();
    await ended(client, messageId);
    assert.equal((await queue.get()).paused, false);
    await queue.delete();
  });

  await check("queue: the next waits for the callback of the one before", async () => {
    const queue = client.queue({ queueName: "with-callback" });
    const { opened, open } = gate();
    const [place, next, back] = [spot(), spot(), spot(() => opened.then(() => 200))];
    await queue.enqueue({ url: place.url, callback: back.url });
    await queue.enqueue({ url: next.url });
    await back.first();
    const other = spot();
    await client.publish({ url: other.url });
    await other.first();
    assert.equal(next.received.length, 0);
    open();
    await next.first();
    await queue.delete();
  });

  await check("queue: deleted with what waits in it", async () => {
    const queue = client.queue({ queueName: "deleted" });
    await queue.upsert({ paused: true });
    const { messageId } = await queue.enqueue({ url: spot().url });
    await queue.delete();
    const logs = await ended(client, messageId);
    assert.equal(logs.at(-1).state, "CANCELED");
  });

  await check("enqueue: to a group, one message an endpoint", async () => {
    const [a, b] = [spot(), spot()];
    await client.urlGroups.addEndpoints({ name: "queued-group", endpoints: [{ url: a.url }, { url: b.url }] });
    const queue = client.queue({ queueName: "queued-groups" });
    const answers = await queue.enqueueJSON({ urlGroup: "queued-group", body: 1 });
    assert.deepEqual(answers.map(({ url }) => url), [a.url, b.url]);
    await Promise.all([a.first(), b.first()]);
    await queue.delete();
    await client.urlGroups.delete("queued-group");
  });
}

export async function groups(client) {
  await check("urlGroups: add, get, list, replace, remove, delete", async () => {
    const name = "group_1.a-b";
    await client.urlGroups.delete(name);
    const endpoints = [{ name: "one", url: "https://one.example.com" }, { url: "https://two.example.com/?a=b" }];
    await client.urlGroups.addEndpoints({ name, endpoints });
    const made = await client.urlGroups.get(name);
    assert.equal(made.name, name);
    assert.deepEqual(made.endpoints, endpoints);
    assert.ok(made.createdAt > 1_600_000_000_000 && made.updatedAt >= made.createdAt);
    assert.ok((await client.topics.list()).some((group) => group.name === name));

    const more = [{ name: "one", url: "https://uno.example.com" }, { url: "https://three.example.com" }];
    await client.urlGroups.addEndpoints({ name, endpoints: more });
    const changed = (await client.urlGroups.get(name)).endpoints;
    assert.deepEqual(changed, [more[0], endpoints[1], more[1]]);

    await client.urlGroups.removeEndpoints({ name, endpoints: [{ name: "one" }, { url: endpoints[1].url }] });
    assert.deepEqual((await client.urlGroups.get(name)).endpoints, [more[1]]);
    await client.urlGroups.removeEndpoints({ name, endpoints: [more[1]] });
    assert.equal((await refusal(client.urlGroups.get(name))).status, 404);
    const gone = await refusal(client.urlGroups.removeEndpoints({ name, endpoints: [more[1]] }));
    assert.equal(gone.status, 404);
  });

  await check("urlGroups: what is none is refused", async () => {
    const bad = { name: "bad-endpoint", endpoints: [{ url: "not-a-url" }] };
    assert.equal((await refusal(client.urlGroups.addEndpoints(bad))).status, 400);
    const endpoints = [{ url: "https://example.com" }];
    assert.equal((await refusal(client.urlGroups.addEndpoints({ name: "a b", endpoints }))).status, 400);
  });

  await check("publish to a group: one message an endpoint, each its own", async () => {
    const [good, bad] = [spot(), spot(500)];
    const name = "to-both";
    const endpoints = [{ name: "good", url: good.url }, { url: bad.url }];
    await client.urlGroups.addEndpoints({ name, endpoints });
    const answers = await client.publishJSON({ urlGroup: name, body: { a: 1 }, retries: 0 });
    assert.deepEqual(answers.map(({ url }) => url), [good.url, bad.url]);
    const [first, second] = answers.map(({ messageId }) => messageId);
    assert.notEqual(first, second);
    const got = await good.first();
    assert.deepEqual([got.headers["upstash-topic-name"], got.headers["upstash-message-id"]], [name, first]);
    assert.equal((await ended(client, first)).at(-1).state, "DELIVERED");
    assert.equal((await ended(client, second)).at(-1).state, "FAILED");
    const message = await client.messages.get(first);
    assert.deepEqual([message.urlGroup, message.topicName, message.endpointName], [name, name, "good"]);
    assert.equal((await client.messages.get(second)).endpointName, undefined);
    const { logs } = await client.logs({ filter: { urlGroup: name, state: "CREATED" } });
    assert.deepEqual(new Set(logs.map(({ messageId }) => messageId)), new Set([first, second]));
    const dead = await client.dlq.listMessages({ filter: { urlGroup: name } });
    assert.deepEqual(dead.messages.map(({ messageId }) => messageId), [second]);
    // The old name of the setting.
    assert.equal((await client.publish({ topic: name, body: "x" })).length, 2);
    await client.urlGroups.delete(name);
    assert.equal((await refusal(client.publish({ urlGroup: name, body: "x" }))).status, 400);
  });
}
