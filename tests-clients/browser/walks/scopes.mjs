// Who may only read: pages offer nothing that would be refused, and refuse what is sent all the same. Every form that an
// administrator is shown on any page is tried.
import assert from "node:assert/strict";

import { PAGES, filled, names } from "../pages.mjs";
import { Reader } from "../reader.mjs";
import { api, get } from "../stage.mjs";
import { ordinary } from "../traffic.mjs";

/** What changes nothing but the reader's own browser. */
const HARMLESS = ["/sign-out", "/theme"];

export default async function walk() {
  await ordinary();
  const known = await names();
  const pages = PAGES.map(([name, form]) => [name, filled(form, known)]).filter(([, path]) => path);
  const actions = await offered(pages);
  assert.ok(actions.length >= 10, `only ${actions.length} actions are offered`);

  const { token } = await api("POST", "/tokens", { name: "only-reads", scopes: ["read"] });
  const reader = await Reader.open({ token });
  const before = await state();
  const failures = [];
  for (const [name, path] of pages) {
    const look = async (page) => {
      // Some pages are not for readers at all.
      const answer = await reader.refused(403, () => page.goto(path));
      assert.ok([200, 403].includes(answer.status()), `${path}: ${answer.status()}`);
      const forms = await page.$$eval("form[method=post i], [hx-post], [hx-delete], [hx-put]", (all) => all.map((el) => el.getAttribute("action") ?? el.outerHTML));
      assert.deepEqual(forms.filter((action) => !HARMLESS.includes(action)), []);
    };
    await reader.look(`${name} offers nothing to who may only read`, look, failures);
  }
  assert.deepEqual(failures, []);
  await reader.step(`${actions.length} forged actions are refused`, async () => {
    for (const { action, fields, page } of actions) {
      const body = new URLSearchParams(fields).toString();
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const answer = await reader.context.request.post(action, { data: body, headers, maxRedirects: 0 });
      assert.equal(answer.status(), 403, `${action} of ${page} with ${body} was answered ${answer.status()}`);
    }
    assert.deepEqual(await state(), before);
  });
  await reader.step("a page of another site can send nothing", async () => {
    const { action, fields } = actions[0];
    const headers = { origin: "https://evil.example", "content-type": "application/x-www-form-urlencoded" };
    const answer = await reader.context.request.post(action, { data: new URLSearchParams(fields).toString(), headers, maxRedirects: 0 });
    assert.equal(answer.status(), 403);
  });
  await reader.close();
}

/** What an action would have changed. */
async function state() {
  const { store } = await get("/status");
  const { items: destinations } = await get("/destinations");
  const { items: tokens } = await get("/tokens");
  const { items: jobs } = await get("/jobs");
  const states = destinations.map(({ name, state }) => `${name} ${state}`);
  return { dead: store.dead_letters, pending: store.pending, states, tokens: tokens.map(({ name }) => name), jobs: jobs.length };
}

/** Each button of each form, with what it would send; each once. */
async function offered(pages) {
  const admin = await Reader.open();
  const found = new Map();
  for (const [name, path] of pages) {
    await admin.step(`what ${name} offers to an administrator`, async (page) => {
      await admin.go(path);
      const forms = await page.$$eval("form[method=post i]", (all) => all.flatMap((form) => {
        for (const box of form.querySelectorAll("input[type=checkbox]")) box.checked = true;
        for (const text of form.querySelectorAll("input:not([type]), input[type=text], textarea")) text.value ||= "1";
        return [...form.querySelectorAll("button:not([type=button])")].map((button) => ({
          action: form.getAttribute("action"), fields: [...new FormData(form, button)].map(([key, value]) => [key, String(value)]),
        }));
      }));
      for (const { action, fields } of forms) {
        if (!HARMLESS.includes(action)) found.set(`${action} ${JSON.stringify(fields)}`, { action, fields, page: name });
      }
    });
  }
  await admin.close();
  return [...found.values()];
}
