// Publishing: destinations, bodies, headers, groups, batches; and what reaches the destination.
import assert from "node:assert/strict";
import { Client, resend, openai, upstash } from "@upstash/qstash";

import { check, ended, refusal, spot, states } from "./harness.mjs";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

export async function publishing(client) {
  await check("publish: body and address arrive verbatim", async () => {
    const place = spot();
    const { messageId } = await client.publish({ url: `${place.url}/a//b?x=1&y=b%20c`, body: "grüße" });
    assert.match(messageId, /^msg_[A-Za-z0-9]+$/);
    const got = await place.first();
    assert.equal(got.method, "POST");
    assert.equal(got.target, `${place.path}/a//b?x=1&y=b%20c`);
    assert.equal(got.text, "grüße");
    assert.equal(got.headers["content-type"], "text/plain;charset=UTF-8");
    assert.equal(got.headers["user-agent"], "Upstash-QStash");
    assert.equal(got.headers["upstash-message-id"], messageId);
    assert.equal(got.headers["webhook-id"], messageId);
    assert.equal(got.headers["upstash-retried"], "0");
    assert.equal(got.headers["upstash-caller-ip"], "127.0.0.1");
    assert.ok(got.headers["upstash-signature"]);
    const ours = new Set(["upstash-message-id", "upstash-retried", "upstash-caller-ip", "upstash-signature"]);
    const more = Object.keys(got.headers).filter((name) => name.startsWith("upstash-") && !ours.has(name));
    assert.deepEqual([more, got.headers.authorization], [[], undefined]);
    const logs = await ended(client, messageId);
    assert.deepEqual(states(logs), ["CREATED", "ACTIVE", "DELIVERED"]);
  });

  await check("publishJSON: JSON, and forwarded headers in their usual casing", async () => {
    const place = spot();
    const body = { hello: "world", n: [1, 2] };
    const headers = { "test-header": "test-value", "Upstash-Forward-X-Own": "mine" };
    await client.publishJSON({ url: place.url, body, headers });
    const got = await place.first();
    assert.deepEqual(JSON.parse(got.text), body);
    assert.equal(got.headers["content-type"], "application/json");
    assert.ok(got.rawHeaders.includes("Test-Header") && got.rawHeaders.includes("X-Own"), `${got.rawHeaders}`);
    assert.deepEqual([got.headers["test-header"], got.headers["x-own"]], ["test-value", "mine"]);
  });

  for (const method of METHODS) {
    await check(`publish: method ${method}`, async () => {
      const place = spot();
      await client.publish({ url: place.url, method, body: "with a body" });
      const got = await place.first();
      assert.deepEqual([got.method, got.text], [method, "with a body"]);
    });
  }

  await check("publish: no body, and bytes that are no text", async () => {
    const place = spot();
    const { messageId } = await client.publish({ url: place.url });
    assert.equal((await place.first()).body.length, 0);
    const message = await client.messages.get(messageId);
    assert.deepEqual([message.body, message.bodyBase64], [undefined, undefined]);
    const bytes = Uint8Array.from([0, 255, 128, 10]);
    const binary = await client.publish({ url: place.url, body: bytes, headers: { "content-type": "a/b" } });
    const got = await place.nth(2);
    assert.deepEqual([[...got.body], got.headers["content-type"]], [[...bytes], "a/b"]);
    assert.equal((await client.messages.get(binary.messageId)).bodyBase64, Buffer.from(bytes).toString("base64"));
  });

  await check("publish: headers of the client go with every message", async () => {
    const place = spot();
    const other = new Client({ headers: { "x-everywhere": "yes" }, retry: false });
    await other.publishJSON({ url: place.url, body: 1, headers: { "x-here": "too" } });
    const got = await place.first();
    assert.deepEqual([got.headers["x-everywhere"], got.headers["x-here"]], ["yes", "too"]);
  });

  await check("publish: what is no destination is refused", async () => {
    const bad = ["ftp://example.com", "no-such-group", "https%3A%2F%2Fexample.com", "http://10.0.0.1/"];
    for (const url of bad) {
      const error = await refusal(client.publish({ url, body: "x" }));
      assert.equal(error.status, 400, `${url}: ${error}`);
      assert.match(JSON.parse(error.message).error, /invalid destination url/);
    }
  });

  await check("publish: e-mail and model providers are ordinary destinations", async () => {
    const email = { name: "email", provider: resend({ token: "a-token" }) };
    const mail = await client.publishJSON({ api: email, body: { to: "a@b" }, delay: "1d" });
    const message = await client.messages.get(mail.messageId);
    assert.match(message.url, /^https:\/\/.*\/emails$/);
    assert.deepEqual(message.header.Authorization, ["Bearer a-token"]);
    await client.messages.cancel(mail.messageId);
    const llm = { name: "llm", provider: openai({ token: "a-token" }) };
    const chat = await client.publishJSON({ api: llm, body: {}, callback: "https://example.com/", delay: "1d" });
    assert.match((await client.messages.get(chat.messageId)).url, /^https:\/\/.*\/chat\/completions$/);
    await client.messages.cancel(chat.messageId);
  });

  await check("publish: QStash's own models and workflows are refused clearly", async () => {
    const api = { name: "llm", provider: upstash() };
    const own = await refusal(client.publishJSON({ api, body: {}, callback: "https://example.com/" }));
    assert.equal(own.status, 501, `${own}`);
    assert.equal((await refusal(client.workflow.cancel("wfr_1"))).status, 501);
    const headers = { "Upstash-Workflow-Init": "true" };
    assert.equal((await refusal(client.publish({ url: "https://example.com/", headers }))).status, 501);
    const chat = client.chat().create({ provider: upstash(), model: "a-model", messages: [] });
    assert.equal((await refusal(chat)).status, 501);
  });

  await check("batch: one answer an entry, in order, groups nested, queues created", async () => {
    const [a, b, c] = [spot(), spot(), spot()];
    await client.urlGroups.addEndpoints({ name: "batch-group", endpoints: [{ url: b.url }, { url: c.url }] });
    const answers = await client.batch([
      { url: a.url, body: "one", headers: { "X-Entry": "1" }, method: "PUT" },
      { urlGroup: "batch-group", body: "two" },
      { url: a.url, body: "three", queueName: "batch-queue" },
    ]);
    assert.equal(answers.length, 3);
    const [one, two, three] = answers;
    assert.match(one.messageId, /^msg_/);
    assert.deepEqual(two.map(({ url }) => url), [b.url, c.url]);
    assert.match(three.messageId, /^msg_/);
    await a.nth(2);
    const first = a.received.find(({ text }) => text === "one");
    assert.deepEqual([first.method, first.headers["x-entry"]], ["PUT", "1"]);
    assert.equal(first.headers["upstash-message-id"], one.messageId);
    assert.equal((await b.first()).text, "two");
    assert.equal((await c.first()).text, "two");
    assert.equal((await client.messages.get(three.messageId)).queueName, "batch-queue");
    await client.urlGroups.delete("batch-group");
  });

  await check("batchJSON: one entry is a list of one, settings are each entry's own", async () => {
    const place = spot();
    const answers = await client.batchJSON([{ url: place.url, body: { a: 1 }, delay: 0, label: "batched" }]);
    assert.equal(answers.length, 1);
    const got = await place.first();
    assert.deepEqual([JSON.parse(got.text), got.headers["content-type"]], [{ a: 1 }, "application/json"]);
    assert.equal((await client.messages.get(answers[0].messageId)).label, "batched");
  });

  await check("batch: one bad entry refuses all of them", async () => {
    const place = spot();
    const error = await refusal(client.batch([{ url: place.url, body: "good" }, { url: "ftp://x", body: "bad" }]));
    assert.equal(error.status, 400);
    const { logs } = await client.logs({ filter: { url: place.url } });
    assert.deepEqual(logs, []);
  });
}
