// Text of others that would like to be more than text, wherever others can put it: every page shows it and does nothing
// of it, and stays in shape, on a phone.
import assert from "node:assert/strict";

import { isolated, narrow } from "../laws.mjs";
import { PAGES, filled, names } from "../pages.mjs";
import { PHONE, Reader } from "../reader.mjs";
import { api, become, drained, get, partnerEvent, post, publish, stage, until } from "../stage.mjs";

/** What each would do, if it were let: set `breached`, load `/hh-breach`, or make an element `hh-x`. */
const HOSTILE = [
  ["a script", "<script>window.breached=1</script><hh-x>"],
  ["an image", '"><img src=/hh-breach onerror="window.breached=1"><hh-x>'],
  ["a drawing", "<svg onload=window.breached=1><hh-x></hh-x></svg>"],
  ["an attribute", "' autofocus onfocus=window.breached=1 data-hh-x='"],
  ["an attribute in quotes", '" autofocus onfocus="window.breached=1" data-hh-x="'],
  ["an address", "javascript:window.breached=1"],
  ["the end of whatever it stands in", "</textarea></title></pre></script></style><hh-x>"],
  ["the end of a comment", "--><hh-x><!--"],
  ["what is escaped already", "&lt;hh-x&gt;&#60;hh-x&#62;&amp;lt;"],
  ["a template", "{{ 7*7 }}{% include '/etc/passwd' %}${7*7}"],
  ["an order to htmx", '<div hx-get="/hh-breach" hx-trigger="load">x</div>'],
  ["an attribute of htmx", '" hx-get="/hh-breach" hx-trigger="load" data-hh-x="'],
  ["an order to our script", '<button data-confirm="x" data-copy="#token">x</button><hh-x>'],
  ["text that turns around", "\u202egnp.exe\u202c \u2067abc\u2069 \u200f(1)"],
  ["text that never turns back", "\u202eevil\u202e\u2067"],
  ["Arabic and Hebrew", "دفع 12 فاتورة (שלום) 34"],
  ["no place to break", "A".repeat(1_500)],
  ["no place to break, in between dots", "a.b-".repeat(400)],
  ["letters upon letters", `Z${"\u0301\u0302\u0303".repeat(60)}`],
  ["nothing to be seen", "\u200b\u200d\ufeff\u2060"],
];

export default async function walk() {
  const events = await put();
  const reader = await Reader.open({ size: PHONE });
  await seesEvents(reader, events);
  await seesRejected(reader);
  await seesPages(reader);
  await asksForIt(reader);
  await reader.close();
}

/** Everywhere: as id, type, header and body of events, in what handlers answer, in what is refused, in names. */
async function put() {
  const events = [];
  for (const [n, [what, text]] of HOSTILE.entries()) {
    // No status that makes a destination rest.
    await become("app", 422, `${text} ${text}`);
    const body = JSON.stringify({ note: text, [text]: [text, { deep: text }] });
    const headers = { "x-note": text, "x-request-id": text, "user-agent": text, "content-type": "application/json" };
    const status = await partnerEvent(`${n} ${text}`, text, headers, body);
    assert.equal(status, 200, what);
    events.push((await get("/events?limit=1&source=partner")).items[0]);
    await partnerEvent(`raw ${n}`, `raw ${n}`, { "content-type": "text/html" }, `<p>${text}</p>`);
    await drained();
    const bytes = Buffer.from(text, "utf8").toString("latin1");
    await post("code", { "x-github-event": bytes, "x-hub-signature-256": `sha256=${bytes}`, "x-note": bytes }, `${text}\n${body}`);
    await named(text, n);
  }
  await until("all that was refused", async () => (await get("/rejected?limit=100")).items.length === HOSTILE.length);
  return events;
}

/** Where names are only of some form, they are refused; that is as good. */
async function named(text, n) {
  const attempt = (promise) => promise.catch((error) => assert.match(String(error), /: (400|404|409|413|422) /));
  await attempt(api("POST", "/tokens", { name: text.slice(0, 60), scopes: ["read"] }));
  await attempt(api("POST", "/alerts/silences", { rule: "breaker_open", scope: text.slice(0, 60), for_s: 3_600, reason: text.slice(0, 200) }));
  const line = encodeURIComponent(text);
  await attempt(publish("POST", "/queues/", {}, JSON.stringify({ queueName: text.slice(0, 200), parallelism: 1 })));
  await attempt(publish("POST", `/topics/${line}/endpoints`, {}, JSON.stringify({ endpoints: [{ url: `${stage.handlers.app}?${n}=${line}`, name: text.slice(0, 100) }] })));
  await attempt(publish("POST", `/publish/${stage.handlers.app}?${n}=${line}`, { "upstash-retries": "0", "upstash-label": `label-${n}` }, text));
}

/** Nothing of it was run, loaded or made. */
async function unharmed(page) {
  const harm = await page.evaluate(() => {
    const made = document.querySelector("hh-x, [data-hh-x], [onerror], [onload], [onfocus], [hx-get='/hh-breach'], a[href^='javascript:' i], [src*='hh-breach']");
    return { breached: window.breached, made: made?.outerHTML.slice(0, 300) };
  });
  assert.deepEqual(harm, { breached: undefined, made: undefined });
  await isolated(page);
  await narrow(page);
}

const squeezed = (text) => text.replace(/\s+/g, " ").trim();

async function seesEvents(reader, events) {
  for (const [n, [what, text]] of HOSTILE.entries()) {
    const event = events[n];
    await reader.step(`${what}, in an event`, async (page) => {
      await reader.go(`/events/${event.id}`);
      const shown = squeezed(await page.locator("main").evaluate((el) => el.textContent));
      assert.ok(shown.includes(squeezed(event.type)), `its type is shown as text: ${shown.slice(0, 400)}`);
      assert.ok(shown.includes(squeezed(text)), "and so is what else says it");
      await unharmed(page);
      if (n === 0 || n === 16) await reader.shoot("hostile", `event-${n}`);
    });
  }
}

async function seesRejected(reader) {
  const { items } = await get("/rejected?limit=100");
  for (const { id } of items) {
    await reader.step(`a rejected request, ${id}`, async (page) => {
      await reader.go(`/rejected/${id}`);
      await unharmed(page);
    });
  }
}

async function seesPages(reader) {
  const known = { ...(await names()), destination: "app", source: "partner" };
  const events = (await get("/events?limit=2&source=partner")).items;
  const pages = PAGES.map(([name, form]) => [name, filled(form, { ...known, event: events[0].id, other: events[1].id })]);
  for (const [name, path] of pages.filter(([, path]) => path)) {
    await reader.step(`${name}, among all of it`, async (page) => {
      await reader.go(path);
      await unharmed(page);
      await reader.shoot("hostile", name);
    });
  }
}

/** As what is searched and filtered for, which a page says again. */
async function asksForIt(reader) {
  for (const [what, text] of HOSTILE) {
    const asked = encodeURIComponent(text);
    for (const path of [`/events?type=${asked}&key=${asked}&source=${asked}`, `/dead-letters/list?type=${asked}&destination=${asked}`]) {
      await reader.step(`${what}, asked for in ${path.split("?")[0]}`, async (page) => {
        await reader.page.goto(path);
        await unharmed(page);
      });
    }
  }
}
