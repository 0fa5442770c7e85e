// What the checks stand on: named checks, a destination of their own on loopback, and bounded waits.
//
// Not here: what is checked. Nothing waits for time to pass: a wait ends with a request that arrives or with an
// answer of the API, and fails when `PATIENCE_MS` is over.
import { createServer } from "node:http";

const PATIENCE_MS = 20_000;
const POLL_MS = 20;

let failed = 0;
let passed = 0;

/** Runs one check; prints its name, and why it failed if it did. */
export async function check(name, run) {
  try {
    await run();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    // Of the stack, the line of the check; the client's own say nothing.
    const line = /qstash(-js\/\w+|_dev)?\.mjs:\d+/.exec(String(error?.stack).replace(/harness\.mjs/g, ""))?.[0] ?? "";
    console.log(`FAILED  ${name}\n        ${String(error).replaceAll("\n", "\n        ")}\n        at ${line}`);
  }
}

/** Says what it came to, and ends the process accordingly. */
export function conclude() {
  console.log(`${passed} checks passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
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

/** What the other side says to a request that must be refused: the client's error. */
export async function refusal(promise) {
  const outcome = await promise.then((value) => ({ value }), (error) => ({ error }));
  if (outcome.error === undefined) throw new Error(`it was accepted: ${JSON.stringify(outcome.value)}`);
  return outcome.error;
}

/** The answers that `fetch` got while this ran: the clients hide status codes. */
export async function statuses(run) {
  const seen = [];
  const original = globalThis.fetch;
  globalThis.fetch = async (...request) => {
    const response = await original(...request);
    seen.push(response.status);
    return response;
  };
  try {
    const value = await run();
    return { value, statuses: seen };
  } catch (error) {
    return { error, statuses: seen };
  } finally {
    globalThis.fetch = original;
  }
}

const spots = new Map();
const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const spot = spots.get(request.url.split(/[/?]/)[1]);
  if (!spot) return response.writeHead(404).end();
  spot.take(request, Buffer.concat(chunks), response);
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
// It is no reason to live on.
server.unref();

export const origin = `http://127.0.0.1:${server.address().port}`;

/**
 * A URL that is nobody else's. `answer` says what a request gets: a status, or `{status, headers, body}`, or a function
 * of the request's number (from 1) that gives either; a promise of it holds the request back.
 */
export function spot(answer = 200) {
  const name = `s${spots.size + 1}`;
  const made = new Spot(name, answer);
  spots.set(name, made);
  return made;
}

class Spot {
  received = [];
  #waiting = [];

  constructor(name, answer) {
    this.url = `${origin}/${name}`;
    this.path = `/${name}`;
    this.answer = answer;
  }

  async take(request, body, response) {
    const { method, url, headers, rawHeaders } = request;
    this.received.push({ method, target: url, headers, rawHeaders, body, text: body.toString("utf8") });
    this.#waiting = this.#waiting.filter(({ number, come }) => {
      if (number > this.received.length) return true;
      come(this.received[number - 1]);
      return false;
    });
    const number = this.received.length;
    const said = await (typeof this.answer === "function" ? this.answer(number) : this.answer);
    const { status, headers: with_, body: text } = typeof said === "number" ? { status: said } : said;
    response.writeHead(status, with_ ?? {}).end(text ?? "");
  }

  /** The `number`th request (from 1), as soon as it is there. */
  nth(number) {
    if (this.received.length >= number) return Promise.resolve(this.received[number - 1]);
    return new Promise((come, fail) => {
      const vain = setTimeout(() => fail(new Error(`waited in vain for request ${number} to ${this.url}`)), PATIENCE_MS);
      this.#waiting.push({ number, come: (request) => (clearTimeout(vain), come(request)) });
    });
  }

  first() {
    return this.nth(1);
  }
}

/** A promise and what keeps it. */
export function gate() {
  let open;
  const opened = new Promise((resolve) => (open = resolve));
  return { opened, open };
}

/** Waits until a message has ended; its log entries, the oldest first. */
export async function ended(client, messageId) {
  return until(`the end of ${messageId}`, async () => {
    const { logs } = await client.logs({ filter: { messageId } });
    const over = logs.some(({ state }) => ["DELIVERED", "FAILED", "CANCELED"].includes(state));
    return over ? logs.reverse() : undefined;
  });
}

export const states = (logs) => logs.map(({ state }) => state);
