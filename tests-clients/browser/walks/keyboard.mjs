// By keyboard alone, from the form that signs in to the replayed delivery: no mouse is touched.
import assert from "node:assert/strict";

import { Reader } from "../reader.mjs";
import { become, get, stage, until } from "../stage.mjs";
import { charges, failures } from "../traffic.mjs";

const STOPS_MAX = 120;

/** Tab, until it has the focus. */
async function tabTo(page, wanted) {
  await wanted.waitFor();
  for (let stop = 0; stop < STOPS_MAX; stop += 1) {
    if (await wanted.evaluate((el) => el === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`${STOPS_MAX} times Tab, and no focus on ${wanted}`);
}

export default async function walk() {
  await charges(4);
  await failures(3);
  await become("billing", 200);
  const reader = await Reader.open({ token: null });
  const { page } = reader;
  const press = (key) => page.keyboard.press(key);

  await reader.step("sign in", async () => {
    await reader.go("/");
    await page.keyboard.type(stage.token);
    await press("Enter");
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    await reader.settled();
  });
  await reader.step("over the menu to the content", async () => {
    await press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
    await press("Enter");
    await page.waitForFunction(() => location.hash === "#main");
    await press("Tab");
    assert.equal(await page.evaluate(() => document.querySelector("main").contains(document.activeElement)), true);
  });
  await reader.step("? tells the keys, and Escape closes them", async () => {
    await press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await press("Escape");
    await page.getByRole("dialog", { name: "Keys" }).waitFor({ state: "detached" });
  });
  await reader.step("g e to the events; j, k and Enter to one of them", async () => {
    await press("g");
    await press("e");
    await page.waitForURL("**/events");
    await reader.settled();
    for (const key of ["j", "j", "k", "j"]) await press(key);
    const on = () => page.evaluate(() => [...document.querySelectorAll("main tbody tr")].findIndex((row) => row.contains(document.activeElement)));
    assert.equal(await on(), 1);
    const wanted = await page.evaluate(() => document.activeElement.getAttribute("href"));
    await press("Enter");
    await page.waitForURL(`**${wanted}`);
    await reader.settled();
  });
  await reader.step("/ to the search", async () => {
    await press("g");
    await press("e");
    await page.waitForURL("**/events");
    await reader.settled();
    await press("/");
    assert.match(await page.evaluate(() => document.activeElement.tagName), /INPUT/);
    await press("Escape");
    await page.evaluate(() => document.activeElement.blur());
  });
  await reader.step("g d to the dead letters, Tab to the button, Enter: replayed", async () => {
    await press("g");
    await press("d");
    await page.waitForURL("**/dead-letters");
    await reader.settled();
    await tabTo(page, page.getByRole("article").getByRole("button", { name: /^replay all/i }));
    await press("Enter");
    await until("no dead letters", async () => (await get("/status")).store.dead_letters === 0);
    await page.getByText(/delivered/i).first().waitFor();
  });
  await reader.step("a destination is paused and resumed", async () => {
    await press("g");
    await press("t");
    await page.waitForURL("**/destinations");
    await reader.settled();
    await tabTo(page, page.getByRole("link", { name: "app", exact: true }));
    await press("Enter");
    await page.waitForURL("**/destinations/app");
    await reader.settled();
    await tabTo(page, page.getByRole("button", { name: /^pause/i }));
    await press("Enter");
    await confirmed(page);
    await until("a pause", async () => (await get("/destinations/app")).state === "paused");
    await tabTo(page, page.getByRole("button", { name: /^resume/i }));
    await press("Enter");
    await confirmed(page);
    await until("no pause", async () => (await get("/destinations/app")).state === "active");
  });
  await reader.step("sign out", async () => {
    await tabTo(page, page.getByRole("button", { name: "Sign out" }));
    await press("Enter");
    await page.waitForURL("**/sign-in");
  });
  assert.equal(reader.presses, 0, "no mouse");
  await reader.close();
}

/** Says yes, if it is asked. */
async function confirmed(page) {
  const asked = page.getByRole("dialog");
  if (await asked.isVisible()) await page.keyboard.press("Enter");
}
