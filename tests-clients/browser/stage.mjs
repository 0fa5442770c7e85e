// What stands around a browser: the gateway's API as a program asks it, senders that post to it, and handlers that do
// what they are told. All of it is behind addresses that the environment tells.
//
// Not here: the browser (`reader.mjs`). Nothing waits for time to pass: a wait ends with an answer, or fails.
import { createHmac } from "node:crypto";
import { request } from "node:http";
import { sign } from "@octokit/webhooks-methods";
import Stripe from "stripe";

/**
 * `admin`, `ingest`: the gateway. `token`: its admin token. `publish_token`. `handlers`: URLs by destination.
 * `secrets`: by source. `chromium`: a program. `screens`: the folder for screenshots.
 */
export const stage = JSON.parse(process.env.HOOKHAVEN_STAGE ?? "{}");

const PATIENCE_MS = 30_000;
const POLL_MS = 30;

/** Asks the admin API; the JSON of an answer that is 2xx. */
export async function api(method, path, body, token = stage.token) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await fetch(`${stage.admin}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

export const get = (path) => api("GET", path);

/** Publishes as a client of QStash's does. */
export async function publish(method, path, headers = {}, body = undefined) {
  const authorization = `Bearer ${stage.publish_token}`;
  const answer = await fetch(`${stage.ingest}/v2${path}`, { method, headers: { authorization, ...headers }, body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

/** Asks again and again until there is something; that. */
export async function until(what, ask) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((again) => setTimeout(again, POLL_MS));
  }
}

/** Until nothing is pending any more. */
export const drained = () => until("the end of all deliveries", async () => (await get("/status")).store.pending === 0);

/** From now on the handler of a destination answers so. */
export async function become(destination, status, body = "") {
  const url = new URL(`/become/${status}`, stage.handlers[destination]);
  const answer = await fetch(url, { method: "POST", body });
  if (answer.status !== 204) throw new Error(`${url}: ${answer.status}`);
}

/** Posts bytes with exactly these headers, which may hold what `fetch` would not send; the status. */
export function post(source, headers, body) {
  const { hostname, port } = new URL(stage.ingest);
  const sent = { hostname, port, path: `/webhooks/${source}`, method: "POST", headers };
  return new Promise((done, fail) => {
    const out = request(sent, (answer) => answer.resume().on("end", () => done(answer.statusCode)));
    out.on("error", fail).end(body);
  });
}

async function accepted(what, status) {
  if ((await status) !== 200) throw new Error(`${what} was answered ${await status}`);
}

const stripe = new Stripe("sk_test_unused");

/** An event as Stripe sends it, signed by its own SDK. */
export async function stripeEvent(id, type, object = {}) {
  const payload = JSON.stringify({ id, object: "event", api_version: "2026-01-28", type, data: { object } });
  await accepted(id, post("shop", stripeHeaders(payload), payload));
}

export function stripeHeaders(payload, secret = stage.secrets.shop) {
  const signature = stripe.webhooks.generateTestHeaderString({ payload, secret });
  return { "content-type": "application/json; charset=utf-8", "stripe-signature": signature };
}

/** A delivery as GitHub makes it, signed by its own SDK. */
export async function githubEvent(id, event, content) {
  const payload = JSON.stringify(content);
  const signature = await sign(stage.secrets.code, payload);
  const headers = { "content-type": "application/json", "x-github-event": event, "x-github-delivery": id };
  await accepted(id, post("code", { ...headers, "x-hub-signature-256": signature }, payload));
}

/** An event of the source `partner`, whose id and type are headers: any bytes that a header can hold. */
export function partnerEvent(id, type, headers, body) {
  const signature = createHmac("sha256", stage.secrets.partner).update(body).digest("hex");
  // Node sends each char of a header as a byte.
  const bytes = (text) => Buffer.from(text, "utf8").toString("latin1");
  const all = { "x-event-id": id, "x-event-type": type, "x-signature": signature, ...headers };
  const raw = Object.fromEntries(Object.entries(all).map(([name, value]) => [name, bytes(value)]));
  return post("partner", raw, body);
}

/** The newest event with this idempotency key, or none. */
export async function eventOf(key) {
  const { items } = await get(`/events?key=${encodeURIComponent(key)}`);
  return items[0];
}
