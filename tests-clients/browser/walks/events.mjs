// A failing event: found, read, its handler mended, replayed, and watched until it is delivered. The same event compared,
// searched for by what its body says, and told live as it comes.
import assert from "node:assert/strict";

import { Reader } from "../reader.mjs";
import { become, eventOf, stripeEvent, until, get } from "../stage.mjs";
import { charges, failures } from "../traffic.mjs";

const rows = (page) => page.locator("main tbody tr");

export default async function walk() {
  await become("billing", 500, '{"error":"column plan does not exist"}');
  await charges(8);
  await failures(1);
  const reader = await Reader.open();
  const event = await eventOf("evt_invoice_0");
  await reader.step("found among the others, by what became of it", async (page) => {
    await reader.go("/events");
    assert.equal(await rows(page).count(), 9);
    await page.getByLabel("Deliveries").selectOption("dead");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL("**/events?**state=dead**");
    assert.equal(await rows(page).count(), 1);
    await page.getByRole("link", { name: "invoice.payment_failed" }).click();
    await page.waitForURL(`**/events/${event.id}`);
  });
  await reader.step("why it failed: the status and what was answered", async (page) => {
    const delivery = page.getByRole("article", { name: "Delivery to billing" });
    await delivery.getByText("500").first().waitFor();
    await delivery.getByText("What was answered").click();
    await delivery.getByText('column plan does not exist').waitFor();
    await page.getByText(/Stripe|signature|secret/i).first().waitFor();
    await page.getByRole("region", { name: "Routes" }).getByText("takes it").first().waitFor();
  });
  await reader.step("mended, replayed, and seen to be delivered", async (page) => {
    await become("billing", 200);
    await page.getByRole("button", { name: /^Replay/ }).first().click();
    await page.getByRole("status").waitFor();
    await page.getByRole("article", { name: "Delivery to billing" }).locator(".badge", { hasText: "delivered" }).first().waitFor();
    assert.equal((await get("/status")).store.dead_letters, 0);
  });
  await reader.step("compared with another: only what differs", async (page) => {
    const other = await eventOf("evt_charge_0");
    await reader.go(`/events/${event.id}`);
    await page.getByLabel("With this event").fill(other.id);
    await page.getByRole("button", { name: "Compare" }).click();
    await page.waitForURL("**/compare?**");
    await page.getByRole("rowheader", { name: /amount/ }).first().waitFor();
  });
  await reader.step("searched for by what its body says", async (page) => {
    await reader.go("/events");
    await page.getByLabel("Text in the body").fill("in_0");
    await page.getByLabel("Text in the body").press("Enter");
    await page.waitForURL("**text=in_0**");
    await page.getByText(/1 found/).waitFor();
    assert.equal(await rows(page).count(), 1);
  });
  await reader.step("told live, as text, while it comes", async (page) => {
    await reader.go("/events/live");
    await page.getByText("Following.").waitFor();
    await stripeEvent("evt_live", "charge.<b>live</b>", { id: "ch_live" });
    await rows(page).getByText("charge.<b>live</b>").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await stripeEvent("evt_unseen", "charge.unseen", { id: "ch_unseen" });
    await until("the event", async () => eventOf("evt_unseen"));
    await page.getByRole("button", { name: "Go on" }).click();
    await rows(page).getByText("charge.unseen").waitFor();
    await reader.shoot("light", "events-live-with-events");
  });
  await reader.close();
}
