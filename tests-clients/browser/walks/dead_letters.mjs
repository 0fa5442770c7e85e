// Dead letters by cause: what was answered, one first and then the group, a dismissal with a question before it, and the
// way back from it; single ones ticked.
import assert from "node:assert/strict";

import { Reader } from "../reader.mjs";
import { become, get, until } from "../stage.mjs";
import { failures } from "../traffic.mjs";

const left = async () => (await get("/status")).store.dead_letters;
const ONE_FIRST = /replay one first/i;

export default async function walk() {
  await become("billing", 503, '{"error":"the database is down, request 4711"}');
  await failures(5);
  await become("billing", 422, '{"error":"no such customer"}');
  await failures(3, 5);
  const reader = await Reader.open();
  const group = (page, status) => page.getByRole("article", { name: `answered ${status}` });

  await reader.step("two causes are two groups, each with what was answered", async (page) => {
    await until("eight dead letters", async () => (await left()) === 8);
    await reader.go("/dead-letters");
    await page.getByRole("article").nth(1).waitFor();
    assert.equal(await page.getByRole("article").count(), 2);
    for (const [status, answer] of [["503", "the database is down"], ["422", "no such customer"]]) {
      const one = group(page, status);
      await one.locator("summary").click();
      await one.getByText(answer).first().waitFor();
    }
  });
  await reader.step("one first, while the handler is still broken: it stops and says why", async (page) => {
    await group(page, "422").getByRole("button", { name: ONE_FIRST }).click();
    await page.waitForURL("**/jobs/*");
    await page.locator("main .badge").getByText("failed").first().waitFor();
    await page.getByText(/422/).first().waitFor();
    await until("the letters as they were", async () => (await left()) === 8);
  });
  await reader.step("one first, once it is mended: then the rest of this group, and no other", async (page) => {
    await become("billing", 200);
    await reader.go("/dead-letters");
    await group(page, "503").getByRole("button", { name: ONE_FIRST }).click();
    await page.waitForURL("**/jobs/*");
    await page.locator("main .badge").getByText("done").first().waitFor();
    await until("three dead letters", async () => (await left()) === 3);
    const { items } = await get("/deliveries?destination=billing&state=delivered");
    assert.equal(items.length, 5);
  });
  await reader.step("a dismissal is counted and asks first; without a word nothing is done", async (page) => {
    await reader.go("/dead-letters");
    await group(page, "422").getByRole("button", { name: /dismiss/i }).click();
    await page.waitForURL("**/jobs/*");
    await page.getByRole("button", { name: "Do nothing" }).click();
    await page.locator("main .badge").getByText("cancelled").first().waitFor();
    assert.equal(await left(), 3);
  });
  await reader.step("ticked ones are dismissed after a question, and replayed after all", async (page) => {
    await reader.go("/dead-letters/list");
    const ticks = page.getByRole("checkbox", { name: /^Tick / });
    await ticks.nth(1).check();
    await ticks.nth(2).check();
    await page.getByRole("button", { name: "Dismiss ticked" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "No" }).click();
    assert.equal(await left(), 3);
    await page.getByRole("button", { name: "Dismiss ticked" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();
    await page.getByRole("status").getByText(/2 dead letters dismissed/).waitFor();
    assert.equal(await left(), 1);
    await reader.go("/dead-letters/dismissed");
    await page.getByRole("checkbox", { name: "Tick all" }).check();
    await page.getByRole("button", { name: "Replay ticked" }).click();
    await page.getByRole("status").getByText(/2 dead letters replayed/).waitFor();
    await until("they are delivered", async () => (await get("/deliveries?destination=billing&state=delivered")).items.length === 7);
  });
  await reader.close();
}
