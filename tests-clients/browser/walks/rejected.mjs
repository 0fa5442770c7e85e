// A request that was refused: found, its diagnosis read, released, and delivered as the event it should have been.
import assert from "node:assert/strict";

import { Reader } from "../reader.mjs";
import { eventOf, until, get, post, stripeHeaders } from "../stage.mjs";
import { refusals } from "../traffic.mjs";

const deliveredState = async (key) => {
  const event = await eventOf(key);
  return event && (await get(`/events/${event.id}`)).deliveries[0]?.state;
};

export default async function walk() {
  await refusals();
  const reader = await Reader.open();
  await reader.step("why: another's secret is not released, and it says so", async (page) => {
    await reader.go("/rejected");
    await page.getByRole("cell", { name: /signature/i }).first().getByRole("link").click();
    await page.getByRole("heading", { name: "Why it was refused" }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Release" }).count(), 0);
  });
  await reader.step("why: a line break was added; released, with the body that was signed", async (page) => {
    const { items } = await get("/rejected");
    await reader.go(`/rejected/${items.at(-1).id}`);
    await page.getByText(/without the line break|line break/i).first().waitFor();
    await page.getByRole("button", { name: "Release" }).click();
    await page.getByRole("heading", { level: 1, name: "charge.refunded" }).waitFor();
    await until("its delivery", async () => (await deliveredState("evt_refused")) === "delivered");
  });
  await reader.step("many at once: counted first, then released", async (page) => {
    for (const n of [1, 2]) {
      const payload = JSON.stringify({ id: `evt_many_${n}`, object: "event", type: "charge.updated", data: { object: {} } });
      await post("shop", stripeHeaders(payload), `${payload}\n`);
    }
    await until("both", async () => (await get("/rejected")).items.length === 4);
    await reader.go("/rejected?released=false");
    await page.getByRole("button", { name: /Release all of these/ }).click();
    await page.getByText(/2 of 3 would be released/).waitFor();
    await page.getByRole("button", { name: "Release 2" }).click();
    await page.getByText(/2 of 3 were released/).waitFor();
    for (const n of [1, 2]) await until("its delivery", async () => (await deliveredState(`evt_many_${n}`)) === "delivered");
  });
  await reader.close();
}
