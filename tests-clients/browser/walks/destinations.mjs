// A destination: held back and let go, switched off and on, tried out; a source: its address copied, a sample sent.
import assert from "node:assert/strict";

import { Reader } from "../reader.mjs";
import { drained, eventOf, get, stage, stripeEvent, until } from "../stage.mjs";

const state = async () => (await get("/destinations/app")).state;
const charge = (id) => stripeEvent(id, "charge.succeeded", { id, amount: 100 });

async function deliveryOf(key) {
  const event = await eventOf(key);
  return (await get(`/events/${event.id}`)).deliveries[0];
}

export default async function walk() {
  await charge("evt_before");
  await drained();
  const reader = await Reader.open();
  await reader.step("paused, with a reason that whoever asks later reads", async (page) => {
    await reader.go("/destinations");
    await page.getByRole("link", { name: "app", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "app active" }).waitFor();
    await page.getByLabel(/^Why/).first().fill("moving the <b>database</b>");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("heading", { level: 1, name: "app paused" }).waitFor();
    await page.getByText("moving the <b>database</b>").first().waitFor();
    assert.equal(await state(), "paused");
  });
  await reader.step("what comes meanwhile waits, and is shown to wait", async (page) => {
    await charge("evt_meanwhile");
    await reader.go("/destinations/app");
    await page.getByText("deliveries wait").first().waitFor();
    assert.equal((await deliveryOf("evt_meanwhile")).state, "pending");
    assert.match(await page.locator(".figure", { hasText: "deliveries wait" }).first().textContent(), /^\s*1\s*deliveries wait/);
  });
  await reader.step("resumed: it is delivered", async (page) => {
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByRole("heading", { level: 1, name: "app active" }).waitFor();
    await until("its delivery", async () => (await deliveryOf("evt_meanwhile")).state === "delivered");
  });
  await reader.step("a test request shows what is answered", async (page) => {
    await page.getByRole("button", { name: "Send a test request" }).click();
    const answer = page.getByRole("status").filter({ hasText: "Test request" });
    await answer.waitFor();
    assert.match(await answer.textContent(), /200/);
  });
  await reader.step("disabled after a question; new events make no delivery; enabled again", async (page) => {
    await reader.go("/destinations/app");
    await page.getByRole("button", { name: "Disable" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();
    await page.getByRole("heading", { level: 1, name: "app disabled" }).waitFor();
    await charge("evt_off");
    assert.equal(await deliveryOf("evt_off"), undefined);
    await page.getByRole("button", { name: "Enable" }).click();
    await page.getByRole("heading", { level: 1, name: "app active" }).waitFor();
  });
  await reader.step("a source tells the address to post to, and it is copied", async (page) => {
    await reader.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: stage.admin });
    await reader.go("/sources/shop");
    await page.getByRole("button", { name: "Copy" }).first().click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /\/webhooks\/shop$/);
  });
  await reader.step("a signed sample is sent, and is an event", async (page) => {
    await page.getByLabel("Type of the sample").fill("charge.succeeded");
    await page.getByRole("button", { name: "Send a signed sample" }).click();
    const answer = page.getByRole("status").filter({ hasText: "Sample" });
    await answer.waitFor();
    await answer.getByRole("link").first().click();
    await page.waitForURL("**/events/evt_*");
  });
  await reader.close();
}
