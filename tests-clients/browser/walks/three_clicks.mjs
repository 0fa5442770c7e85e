// The commonest failure, one destination was down and works again: from opening the overview to the replayed delivery in
// three presses of a button at most, counted.
import assert from "node:assert/strict";

import { Reader } from "../reader.mjs";
import { become, get, until } from "../stage.mjs";
import { charges, failures } from "../traffic.mjs";

const PRESSES_MAX = 3;

export default async function walk() {
  await charges(5);
  await failures(6);
  await become("billing", 200);
  const reader = await Reader.open();
  await reader.step("the overview names the destination that fails", async (page) => {
    await reader.go("/");
    await page.locator("main a[href*='/dead-letters'][href*='billing']").first().click();
    await page.waitForURL("**/dead-letters?**");
  });
  await reader.step("its dead letters are replayed by one button", async (page) => {
    await page.getByRole("button", { name: /^replay/i }).first().click();
  });
  await reader.step("all of them are delivered, and the page says so", async (page) => {
    await until("no dead letters", async () => (await get("/status")).store.dead_letters === 0);
    await page.getByText(/delivered/i).first().waitFor();
    const { items } = await get("/deliveries?destination=billing&state=delivered");
    assert.equal(items.length, 6);
    assert.ok(items.every(({ replaces }) => replaces), "each takes the place of one that failed");
  });
  console.log(`presses: ${reader.presses}`);
  assert.ok(reader.presses >= 1 && reader.presses <= PRESSES_MAX, `it took ${reader.presses} presses`);
  await reader.close();
}
