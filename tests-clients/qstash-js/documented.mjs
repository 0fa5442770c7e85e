// What QStash documents and its clients do not call: asked for by hand, with the client's own connection.
import assert from "node:assert/strict";

import { check, ended, refusal, spot, states, statuses } from "./harness.mjs";

const FAR = "https://example.com/far";

export async function documented(client) {
  const ask = (method, path, { body, headers, query } = {}) =>
    client.http.request({
      method,
      path: ["v2", path],
      query,
      body: typeof body === "object" ? JSON.stringify(body) : body,
      headers: { "content-type": "application/json", ...headers },
    });
  const act = (method, path, more = {}) =>
    client.http.request({ method, path: ["v2", path], parseResponseAsJson: false, ...more });
  const publish = (url, headers, body = "x") => ask("POST", `publish/${url}`, { headers, body });

  await check("the token and settings may stand in the query, and are taken out of the address", async () => {
    const place = spot();
    const token = encodeURIComponent(process.env.QSTASH_TOKEN);
    const query = `a=1&upstash-method=PUT&qstash_token=${token}&upstash-forward-x-a=b&z=2`;
    const target = `${process.env.QSTASH_URL}/v2/publish/${place.url}/x?${query}`;
    const answer = await fetch(target, { method: "POST", body: "q" });
    assert.equal(answer.status, 200);
    const { messageId } = await answer.json();
    const got = await place.first();
    assert.deepEqual([got.method, got.headers["x-a"]], ["PUT", "b"]);
    assert.equal(got.target, `${place.path}/x?a=1&z=2`);
    const shown = JSON.stringify([await client.messages.get(messageId), await ended(client, messageId)]);
    assert.ok(!shown.includes(process.env.QSTASH_TOKEN) && !shown.includes("qstash_token"));
    const wrong = await fetch(`${process.env.QSTASH_URL}/v2/schedules?qstash_token=wrong`);
    assert.equal(wrong.status, 401);
  });

  await check("Upstash-Header-Forward sends all headers but ours and the connection's", async () => {
    const place = spot();
    await publish(place.url, { "Upstash-Header-Forward": "true", "X-All": "yes", Accept: "a/b" });
    const { headers } = await place.first();
    assert.deepEqual([headers["x-all"], headers.accept], ["yes", "a/b"]);
    assert.ok(!JSON.stringify(headers).includes(process.env.QSTASH_TOKEN));
  });

  await check("an own header of ours is not overridden by a forwarded one", async () => {
    const place = spot();
    const { messageId } = await publish(place.url, {
      "Upstash-Forward-Upstash-Message-Id": "forged",
      "Upstash-Forward-Upstash-Signature": "forged",
    });
    const { headers, text } = await place.first();
    assert.equal(headers["upstash-message-id"], messageId);
    assert.notEqual(headers["upstash-signature"], "forged");
    assert.equal(text, "x");
    for (const name of ["Host", "Content-Length", "Connection", "Transfer-Encoding"]) {
      const error = await refusal(publish(place.url, { [`Upstash-Forward-${name}`]: "1" }));
      assert.equal(error.status, 400, name);
    }
  });

  await check("batch: headers that are null or lists; nulls; line breaks are refused", async () => {
    const place = spot();
    const entry = { destination: place.url, body: null, queue: null };
    const lists = { ...entry, headers: { "upstash-forward-X-A": ["1", "2"], "Upstash-Retries": ["0"] } };
    const [first, second] = await ask("POST", "batch", { body: [{ ...entry, headers: null }, lists] });
    await ended(client, first.messageId);
    const message = await client.messages.get(second.messageId);
    assert.deepEqual([message.header["X-A"], message.maxRetries], [["1", "2"], 0]);
    for (const value of ["a\r\nX-Evil: 1", "a\nb", "a\u0000b"]) {
      const evil = [{ destination: place.url, headers: { "Upstash-Forward-X-A": value } }];
      assert.equal((await refusal(ask("POST", "batch", { body: evil }))).status, 400, JSON.stringify(value));
    }
    for (const body of ["{}", "nonsense", "[1]"]) {
      assert.equal((await refusal(ask("POST", "batch", { body }))).status, 400, body);
    }
    assert.deepEqual(await ask("POST", "batch", { body: "[]" }), []);
  });

  await check("Upstash-Cron on a publish makes a schedule", async () => {
    const { scheduleId } = await publish(FAR, { "Upstash-Cron": "0 0 1 1 *" });
    assert.equal((await client.schedules.get(scheduleId)).destination, FAR);
    // As the documentation and the client for Go write it.
    await act("POST", `schedules/${scheduleId}/pause`);
    assert.equal((await client.schedules.get(scheduleId)).isPaused, true);
    await act("POST", `Schedules/${scheduleId}/resume/`);
    assert.equal((await ask("GET", `Schedules/${scheduleId}/`)).isPaused, false);
    await client.schedules.delete(scheduleId);
  });

  await check("a group's own headers are defaults for what is published to it", async () => {
    const place = spot();
    const name = "with-defaults";
    await client.urlGroups.addEndpoints({ name, endpoints: [{ url: place.url }] });
    const headers = { "Upstash-Retries": "7", "Upstash-Forward-X-Default": ["d"] };
    await act("PATCH", `topics/${name}`, { body: JSON.stringify({ headers }) });
    const [plain] = await client.publish({ urlGroup: name });
    assert.equal((await client.messages.get(plain.messageId)).maxRetries, 7);
    assert.equal((await place.first()).headers["x-default"], "d");
    const [own] = await client.publish({ urlGroup: name, retries: 1 });
    assert.equal((await client.messages.get(own.messageId)).maxRetries, 1);
    await client.urlGroups.delete(name);
  });

  await check("logs under their documented name, both orders, old cursors", async () => {
    const { messageId } = await publish(spot().url, { "Upstash-Label": "documented-logs" });
    await ended(client, messageId);
    const query = { label: "documented-logs", order: "earliestFirst" };
    const { logs, events } = await ask("GET", "logs", { query });
    assert.deepEqual(logs, events);
    assert.deepEqual(states(logs), ["CREATED", "ACTIVE", "DELIVERED"]);
    const paged = await ask("GET", "logs", { query: { ...query, count: 2 } });
    const rest = await ask("GET", "logs", { query: { ...query, cursor: paged.cursor } });
    assert.deepEqual(states([...paged.logs, ...rest.logs]), ["CREATED", "ACTIVE", "DELIVERED"]);
    const later = await ask("GET", "events", { query: { label: "documented-logs", cursor: Date.now() + 1_000 } });
    assert.equal(later.events.length, 3);
    const earlier = await ask("GET", "events", { query: { label: "documented-logs", cursor: 1_000_000_000_000 } });
    assert.deepEqual(earlier.events, []);
    const comma = await ask("GET", "events", { query: { label: "nobody,documented-logs" } });
    assert.equal(comma.events.length, 3);
    assert.equal((await refusal(ask("GET", "logs", { query: { cursor: "no cursor" } }))).status, 400);
    assert.equal((await refusal(ask("GET", "logs", { query: { state: "NO_STATE" } }))).status, 400);
    assert.equal((await refusal(ask("GET", "logs", { query: { count: 0 } }))).status, 400);
    assert.deepEqual((await ask("GET", "logs", { query: { state: "CANCELLED", label: "no" } })).logs, []);
  });

  await check("dlq/retry/{id}; both orders", async () => {
    const place = spot((number) => (number <= 2 ? 500 : 200));
    const dead = [];
    for (const body of ["a", "b"]) {
      const { messageId } = await publish(place.url, { "Upstash-Retries": "0", "Upstash-Label": "documented-dlq" }, body);
      await ended(client, messageId);
      dead.push(messageId);
    }
    const list = async (order) => (await ask("GET", "dlq", { query: { label: "documented-dlq", order } })).messages;
    assert.deepEqual((await list("latestFirst")).map(({ messageId }) => messageId), [...dead].reverse());
    const [first, second] = await list("earliestFirst");
    assert.equal(first.messageId, dead[0]);
    const { messageId } = await ask("POST", `dlq/retry/${first.dlqId}`);
    const got = await place.nth(3);
    assert.deepEqual([got.text, got.headers["upstash-message-id"]], ["a", messageId]);
    assert.equal((await refusal(ask("POST", `dlq/retry/${first.dlqId}`))).status, 404);
    assert.equal((await ask("GET", `dlq/${second.dlqId}`)).messageId, dead[1]);
    await client.dlq.delete(second.dlqId);
  });

  await check("flow control: the list, searched", async () => {
    const { messageId } = await client.publish({ url: spot().url, flowControl: { key: "documented/k 1", rate: 5 } });
    await ended(client, messageId);
    const found = await ask("GET", "flowControl", { query: { search: "documented/" } });
    assert.deepEqual(found.map(({ flowControlKey }) => flowControlKey), ["documented/k 1"]);
    await act("POST", "flowControl/documented/k%201/reset");
    assert.equal((await client.flowControl.get("documented/k 1")).rateCount, 0);
  });

  await check("addresses: merged slashes, any case of the scheme, user names; what is none", async () => {
    const place = spot();
    await ask("POST", `publish/${place.url.replace("http://", "http:/")}/merged`, { body: "m" });
    assert.equal((await place.first()).target, `${place.path}/merged`);
    await ask("POST", `publish/${place.url.replace("http", "HTTP")}`, { body: "m" });
    await place.nth(2);
    for (const bad of ["https://", "http://[::1]/", "http://127.1.1.1/", "http://2130706434/", "api/llm2", ""]) {
      const error = await refusal(ask("POST", `publish/${bad}`, { body: "m" }));
      assert.ok([400, 404, 501].includes(error.status), `${bad}: ${error}`);
    }
  });

  await check("cancelling with what is in the body", async () => {
    const one = await client.publish({ url: FAR, delay: "1d", label: "in-body" });
    const two = await client.publish({ url: FAR, delay: "1d", label: "in-body" });
    const cancel = (body) => ask("DELETE", "messages", { body });
    assert.deepEqual(await cancel({ messageIds: [] }), { cancelled: 0 });
    assert.deepEqual(await cancel({ messageIds: [one.messageId] }), { cancelled: 1 });
    assert.equal((await refusal(cancel({ labeel: "in-body" }))).status, 400);
    assert.equal((await refusal(cancel("nonsense"))).status, 400);
    assert.deepEqual(await cancel({ label: "in-body" }), { cancelled: 1 });
    const seen = await statuses(() => client.messages.cancel(two.messageId));
    assert.deepEqual(seen.statuses, [404]);
  });
}
