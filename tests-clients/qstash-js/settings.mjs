// A message's settings: delays, retries, timeouts, labels, deduplication, redaction, callbacks.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";

import { check, ended, gate, refusal, spot, states, statuses, until } from "./harness.mjs";

const FAR = { url: "https://example.com/far", delay: "1d" };

async function cancelled(client, ...messages) {
  await client.messages.cancel(messages.map(({ messageId }) => messageId));
}

const hidden = (value) => `REDACTED:${createHash("sha256").update(value).digest("hex")}`;

async function times(client) {
  await check("delay: a number is seconds, a text a duration", async () => {
    for (const [delay, ms] of [[60, 60_000], ["1d10h30m", 124_200_000], ["50s", 50_000]]) {
      const made = await client.publish({ url: "https://example.com/", delay });
      const message = await client.messages.get(made.messageId);
      assert.equal(message.notBefore - message.createdAt, ms);
      await cancelled(client, made);
    }
    const without = await refusal(client.publish({ url: "https://example.com/", delay: "15" }));
    assert.equal(without.status, 400);
    const long = await refusal(client.publish({ url: "https://example.com/", delay: "100000d" }));
    assert.equal(long.status, 412, `${long}`);
  });

  await check("notBefore: seconds, wins over a delay; in the past means now", async () => {
    const at = Math.floor(Date.now() / 1000) + 1_000;
    const made = await client.publish({ url: "https://example.com/", notBefore: at, delay: 5 });
    assert.equal((await client.messages.get(made.messageId)).notBefore, at * 1000);
    await cancelled(client, made);
    const place = spot();
    const past = await client.publish({ url: place.url, notBefore: at - 100_000, delay: "1d" });
    assert.equal((await place.first()).headers["upstash-message-id"], past.messageId);
  });

  await check("delay: a short one is kept", async () => {
    const place = spot();
    const { messageId } = await client.publish({ url: place.url, delay: 1 });
    await place.first();
    const [created, active] = await ended(client, messageId);
    assert.ok(active.time - created.time >= 1_000, `${active.time - created.time}`);
  });
}

async function retries(client) {
  await check("retries: as often as asked, the same id, then the dead letter queue", async () => {
    const place = spot((number) => ({ status: 500 + number, headers: { "x-try": `${number}` }, body: "no" }));
    const { messageId } = await client.publish({ url: place.url, retries: 2, retryDelay: "1 + retried" });
    const logs = await ended(client, messageId);
    const once = ["ACTIVE", "ERROR"];
    assert.deepEqual(states(logs), ["CREATED", ...once, "RETRY", ...once, "RETRY", ...once, "FAILED"]);
    assert.deepEqual(place.received.map(({ headers }) => headers["upstash-retried"]), ["0", "1", "2"]);
    const ids = new Set(place.received.map(({ headers }) => headers["upstash-message-id"]));
    assert.deepEqual([...ids], [messageId]);
    const jwts = new Set(place.received.map(({ headers }) => headers["upstash-signature"]));
    assert.equal(jwts.size, 3);
    const error = logs.find(({ state }) => state === "ERROR");
    assert.equal(error.responseStatus, 501);
    assert.equal(Buffer.from(error.responseBody, "base64").toString(), "no");
    assert.deepEqual(error.responseHeader["X-Try"], ["1"]);
    assert.ok(logs.find(({ state }) => state === "RETRY").nextDeliveryTime >= error.time);
    const { messages } = await client.dlq.listMessages({ filter: { messageId } });
    assert.equal(messages.length, 1);
    const [dead] = messages;
    assert.deepEqual([dead.messageId, dead.responseStatus, dead.responseBody], [messageId, 503, "no"]);
    assert.deepEqual([dead.maxRetries, dead.retryDelayExpression, dead.url], [2, "1 + retried", place.url]);
    assert.deepEqual(dead.responseHeader["X-Try"], ["3"]);
  });

  await check("retries: none means one attempt, and a later success is a success", async () => {
    const never = spot(500);
    const failed = await client.publish({ url: never.url, retries: 0 });
    assert.deepEqual(states(await ended(client, failed.messageId)), ["CREATED", "ACTIVE", "ERROR", "FAILED"]);
    assert.equal((await client.messages.get(failed.messageId)).maxRetries, 0);
    const second = spot((number) => (number === 1 ? 503 : 201));
    const { messageId } = await client.publish({ url: second.url, retries: 3, retryDelay: "7 * retried" });
    const logs = await ended(client, messageId);
    assert.deepEqual(states(logs), ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "DELIVERED"]);
    assert.deepEqual((await client.dlq.listMessages({ filter: { messageId } })).messages, []);
  });

  await check("retries: the default, the limit, and what cannot be read", async () => {
    const made = await client.publish(FAR);
    assert.equal((await client.messages.get(made.messageId)).maxRetries, 3);
    await cancelled(client, made);
    const many = await refusal(client.publish({ ...FAR, retries: 1_000_000 }));
    assert.equal(many.status, 412);
    assert.match(JSON.parse(many.message).error, /quota maxRetries exceeded/);
    for (const retryDelay of ["1 +", "pow(2)", "unknown * 2", "system(1)"]) {
      assert.equal((await refusal(client.publish({ ...FAR, retryDelay }))).status, 400, retryDelay);
    }
  });

  await check("retries: the default waits e^2.5 s first, a hint of the destination replaces it", async () => {
    const wait = async (place) => {
      const { messageId } = await client.publish({ url: place.url, retries: 3 });
      const retry = await until("the plan of a retry", async () => {
        const { logs } = await client.logs({ filter: { messageId, state: "RETRY" } });
        return logs[0];
      });
      await client.messages.cancel(messageId);
      return retry.nextDeliveryTime - retry.time;
    };
    const near = (ms, expected) => assert.ok(Math.abs(ms - expected) < 1_000, `${ms} is not about ${expected}`);
    near(await wait(spot(500)), 12_182);
    near(await wait(spot({ status: 429, headers: { "Retry-After": "100" } })), 100_000);
    near(await wait(spot({ status: 500, headers: { "X-RateLimit-Reset-Requests": "6m5s" } })), 365_000);
    near(await wait(spot(302)), 12_182);
  });

  await check("retries: 489 with its header ends at once, without it does not", async () => {
    const fatal = spot({ status: 489, headers: { "Upstash-NonRetryable-Error": "true" } });
    const { messageId } = await client.publish({ url: fatal.url, retries: 3, retryDelay: "1" });
    assert.deepEqual(states(await ended(client, messageId)), ["CREATED", "ACTIVE", "ERROR", "FAILED"]);
    const plain = spot(489);
    const other = await client.publish({ url: plain.url, retries: 1, retryDelay: "1" });
    assert.equal(states(await ended(client, other.messageId)).filter((state) => state === "ACTIVE").length, 2);
  });

  await check("timeout: an attempt ends with it, without a status", async () => {
    const { opened, open } = gate();
    const place = spot(() => opened.then(() => 200));
    const { messageId } = await client.publish({ url: place.url, retries: 0, timeout: "150ms" });
    const logs = await ended(client, messageId);
    open();
    const error = logs.find(({ state }) => state === "ERROR");
    assert.match(error.error, /within 150 ms/);
    const { messages } = await client.dlq.listMessages({ filter: { messageId } });
    assert.equal(messages[0].responseStatus, 0);
    assert.ok(messages[0].responseBody);
    assert.equal((await client.logs({ filter: { messageId } })).logs[0].timeout, 150);
    const number = await client.publish({ ...FAR, timeout: 1.5 });
    assert.equal((await client.logs({ filter: { messageId: number.messageId } })).logs[0].timeout, 1_500);
    await cancelled(client, number);
  });
}

async function labels(client) {
  await check("label: one or several; both fields", async () => {
    const several = await client.publish({ ...FAR, label: ["alpha", "beta"] });
    const message = await client.messages.get(several.messageId);
    assert.deepEqual([message.label, message.labels], ["alpha", ["alpha", "beta"]]);
    const one = await client.publish({ ...FAR, label: "gamma" });
    assert.deepEqual((await client.messages.get(one.messageId)).labels, ["gamma"]);
    const { logs } = await client.logs({ filter: { label: "beta" } });
    assert.deepEqual(logs.map(({ messageId, label }) => [messageId, label]), [[several.messageId, "alpha"]]);
    await cancelled(client, several, one);
  });

  await check("a message's JSON is exactly what was said", async () => {
    const made = await client.publishJSON({
      url: "https://example.com/exact?x=1",
      body: { a: 1 },
      headers: { "test-header": "test-value" },
      method: "PUT",
      delay: "1d",
      retries: 0,
      retryDelay: "1000 * (1 + retried)",
      callback: "https://example.com/callback",
      failureCallback: "https://example.com/failure",
      flowControl: { key: "exact-key", parallelism: 2 },
    });
    const message = await client.messages.get(made.messageId);
    const { createdAt, notBefore, ...rest } = message;
    assert.equal(notBefore - createdAt, 86_400_000);
    const said = JSON.parse(JSON.stringify(rest));
    delete said.callerIp;
    assert.deepEqual(said, {
      messageId: made.messageId,
      url: "https://example.com/exact?x=1",
      method: "PUT",
      maxRetries: 0,
      retryDelayExpression: "1000 * (1 + retried)",
      header: { "Content-Type": ["application/json"], "Test-Header": ["test-value"] },
      body: '{"a":1}',
      callback: "https://example.com/callback",
      failureCallback: "https://example.com/failure",
      flowControlKey: "exact-key",
      parallelism: 2,
      period: 1,
      callerIP: "127.0.0.1",
    });
    await cancelled(client, made);
  });
}

async function deduplication(client) {
  await check("deduplicationId: the first one's id, 202, sent once", async () => {
    const place = spot();
    const request = { url: place.url, body: "a", deduplicationId: "dedupe:one" };
    const first = await client.publish(request);
    assert.equal(first.deduplicated, undefined);
    await place.first();
    const again = await statuses(() => client.publish({ ...request, url: `${place.url}/other`, body: "b" }));
    assert.deepEqual(again.statuses, [202]);
    assert.deepEqual([again.value.messageId, again.value.deduplicated], [first.messageId, true]);
    await client.publish({ ...request, deduplicationId: "dedupe:two" });
    await place.nth(2);
    assert.equal(place.received.length, 2);
  });

  await check("deduplicationId: of many at once exactly one wins", async () => {
    const place = spot();
    const all = Array.from({ length: 20 }, () => client.publish({ url: place.url, deduplicationId: "dedupe-race" }));
    const answers = await Promise.all(all);
    assert.equal(new Set(answers.map(({ messageId }) => messageId)).size, 1);
    assert.equal(answers.filter(({ deduplicated }) => !deduplicated).length, 1);
    await ended(client, answers[0].messageId);
    assert.equal(place.received.length, 1);
  });

  await check("contentBasedDeduplication: body, address and headers count, settings do not", async () => {
    const place = spot();
    const request = { url: place.url, body: "same", contentBasedDeduplication: true, headers: { "x-a": "1" } };
    const first = await client.publish(request);
    const same = await client.publish({ ...request, retries: 1, label: "other" });
    assert.deepEqual([same.messageId, same.deduplicated], [first.messageId, true]);
    const changes = [{ body: "else" }, { url: `${place.url}/else` }, { headers: { "x-a": "2" } }];
    for (const change of changes) {
      assert.equal((await client.publish({ ...request, ...change })).deduplicated, undefined, JSON.stringify(change));
    }
    assert.equal((await client.publish({ ...request, contentBasedDeduplication: false })).deduplicated, undefined);
  });

  await check("deduplicationId: a group's endpoints each have their own", async () => {
    const [a, b, c] = [spot(), spot(), spot()];
    const name = "dedupe-group";
    await client.urlGroups.addEndpoints({ name, endpoints: [{ url: a.url }, { url: b.url }] });
    const request = { urlGroup: name, body: "x", deduplicationId: "dedupe-group-1" };
    const first = await client.publish(request);
    const again = await statuses(() => client.publish(request));
    assert.deepEqual(again.statuses, [202]);
    assert.deepEqual(again.value.map(({ messageId }) => messageId), first.map(({ messageId }) => messageId));
    assert.ok(again.value.every(({ deduplicated }) => deduplicated));
    await client.urlGroups.addEndpoints({ name, endpoints: [{ url: c.url }] });
    const third = await client.publish(request);
    const news = third.filter(({ deduplicated }) => !deduplicated).map(({ url }) => url);
    assert.deepEqual(news, [c.url]);
    await client.urlGroups.delete(name);
  });

  await check("deduplication: in a batch, entry by entry", async () => {
    const place = spot();
    const entry = { url: place.url, body: "x", deduplicationId: "dedupe-batch" };
    const [first, second] = await client.batch([entry, entry]);
    assert.equal(second.messageId, first.messageId);
    assert.deepEqual([first.deduplicated, second.deduplicated], [undefined, true]);
  });
}

async function redaction(client) {
  await check("redact: hidden in what is shown, not in what is sent", async () => {
    const place = spot(500);
    const { messageId } = await client.publish({
      url: place.url,
      body: "the-secret-body",
      headers: { "X-Secret": "hunter2", "X-Open": "open" },
      retries: 0,
      redact: { body: true, header: ["x-secret"] },
    });
    const got = await place.first();
    assert.deepEqual([got.text, got.headers["x-secret"]], ["the-secret-body", "hunter2"]);
    await ended(client, messageId);
    const message = await client.messages.get(messageId);
    assert.equal(message.body, hidden("the-secret-body"));
    assert.deepEqual(message.header["X-Secret"], [hidden("hunter2")]);
    assert.deepEqual(message.header["X-Open"], ["open"]);
    const { logs } = await client.logs({ filter: { messageId } });
    const { messages } = await client.dlq.listMessages({ filter: { messageId } });
    const shown = JSON.stringify([message, logs, messages]);
    const secrets = ["the-secret-body", "hunter2", Buffer.from("the-secret-body").toString("base64")];
    for (const secret of secrets) assert.ok(!shown.includes(secret), `${secret} in ${shown}`);
    // A retry from the queue sends the original.
    place.answer = 200;
    await client.dlq.retry(messages[0].dlqId);
    assert.equal((await place.nth(2)).text, "the-secret-body");
  });

  await check("redact: all headers", async () => {
    const made = await client.publish({ ...FAR, headers: { a: "hunter2", b: "hunter3" }, redact: { header: true } });
    const message = await client.messages.get(made.messageId);
    assert.ok(!JSON.stringify(message).includes("hunter"), JSON.stringify(message));
    await cancelled(client, made);
  });
}

const decoded = (request) => {
  const said = JSON.parse(request.text);
  const text = (base64) => Buffer.from(base64, "base64").toString();
  return { ...said, body: text(said.body ?? ""), sourceBody: text(said.sourceBody ?? "") };
};

async function callbacks(client) {
  await check("callback: after every attempt, with what was sent and what came of it", async () => {
    const place = spot((number) => (number === 1 ? 500 : { status: 200, headers: { "x-answer": "yes" }, body: "done" }));
    const back = spot();
    const { messageId } = await client.publishJSON({
      url: place.url,
      body: { a: 1 },
      headers: { "X-Src": "s", "Upstash-Callback-Forward-X-Back": "b", "Upstash-Callback-Method": "PUT" },
      retries: 1,
      retryDelay: "1",
      callback: back.url,
    });
    await back.nth(2);
    const [first, last] = back.received.map(decoded).sort((a, b) => a.retried - b.retried);
    assert.deepEqual([first.status, first.retried, first.maxRetries], [500, 0, 1]);
    assert.deepEqual([last.status, last.retried, last.body], [200, 1, "done"]);
    assert.deepEqual(last.header["X-Answer"], ["yes"]);
    assert.deepEqual([last.sourceMessageId, last.url, last.method], [messageId, place.url, "POST"]);
    assert.equal(last.sourceBody, '{"a":1}');
    assert.deepEqual(last.sourceHeader["X-Src"], ["s"]);
    assert.ok(last.createdAt > 1_600_000_000_000 && last.notBefore >= last.createdAt);
    assert.equal(last.dlqId, undefined);
    const [request] = back.received;
    assert.equal(request.method, "PUT");
    assert.deepEqual([request.headers["content-type"], request.headers["x-back"]], ["application/json", "b"]);
    const own = request.headers["upstash-message-id"];
    assert.notEqual(own, messageId);
    assert.deepEqual(states(await ended(client, own)), ["CREATED", "ACTIVE", "DELIVERED"]);
  });

  await check("failureCallback: once, when it has failed for good, with its dead letter", async () => {
    const place = spot({ status: 503, body: "down" });
    const [back, failure] = [spot(), spot()];
    const { messageId } = await client.publish({
      url: place.url,
      body: "x",
      retries: 1,
      retryDelay: "1",
      failureCallback: failure.url,
    });
    const said = decoded(await failure.first());
    assert.deepEqual([said.status, said.retried, said.maxRetries, said.body], [503, 1, 1, "down"]);
    assert.equal(said.sourceMessageId, messageId);
    const { messages } = await client.dlq.listMessages({ dlqIds: said.dlqId });
    assert.deepEqual(messages.map((dead) => dead.messageId), [messageId]);
    assert.equal(messages[0].failureCallback, failure.url);
    assert.equal(failure.received.length, 1);
    assert.equal(back.received.length, 0);
  });

  await check("callback: an address that is none is refused", async () => {
    for (const field of ["callback", "failureCallback"]) {
      const error = await refusal(client.publish({ ...FAR, [field]: "not-a-url" }));
      assert.equal(error.status, 400, field);
    }
  });
}

export async function settings(client) {
  for (const part of [times, retries, labels, deduplication, redaction, callbacks]) await part(client);
}
