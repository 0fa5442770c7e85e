// Without JavaScript: signing in, the figures of the overview, a replay.
import assert from "node:assert/strict";

import { Reader } from "../reader.mjs";
import { become, drained, eventOf, get, stage } from "../stage.mjs";
import { charges, failures } from "../traffic.mjs";

export default async function walk() {
  await charges(3);
  await failures(4);
  const reader = await Reader.open({ token: null, script: false });
  await reader.step("the form signs in", async (page) => {
    await reader.go("/");
    await page.getByLabel("Token").fill(stage.token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  });
  await reader.step("the overview shows its figures", async (page) => {
    const dead = page.locator("main").getByRole("link", { name: /dead letters/i }).first();
    assert.match(await dead.textContent(), /^\s*4\s*dead letters/);
    await reader.shoot("light", "overview-without-script");
  });
  await reader.step("a dead letter is replayed by its button", async (page) => {
    await become("billing", 200);
    const event = await eventOf("evt_invoice_0");
    await reader.go(`/events/${event.id}`);
    await page.getByRole("button", { name: /replay/i }).first().click();
    await page.getByRole("status").waitFor();
    await drained();
    assert.equal((await get("/status")).store.dead_letters, 3);
    await page.reload();
    await page.locator("main").getByText("delivered").first().waitFor();
  });
  await reader.close();
}
