// Who may see pages: signing in by the form, being led to what was asked for, colours, signing out.
import assert from "node:assert/strict";

import { Reader } from "../reader.mjs";
import { stage } from "../stage.mjs";

export default async function walk() {
  const reader = await Reader.open({ token: null });
  await reader.step("whoever is not signed in is led to the form", async (page) => {
    await reader.go("/destinations");
    assert.equal(new URL(page.url()).pathname, "/sign-in");
    assert.equal(await page.getByLabel("Token").evaluate((el) => el === document.activeElement), true);
  });
  await reader.step("a token that is none is refused, in words", async (page) => {
    await page.getByLabel("Token").fill("hh_no_token");
    await reader.refused(401, () => page.getByRole("button", { name: "Sign in" }).click());
    await reader.refused(401, () => page.getByRole("alert").waitFor());
    assert.match(await page.getByRole("alert").textContent(), /none of this gateway/);
  });
  await reader.step("the right one leads to what was asked for", async (page) => {
    await page.getByLabel("Token").fill(stage.token);
    await page.getByLabel("Token").press("Enter");
    await page.waitForURL("**/destinations");
    await page.getByRole("heading", { level: 1, name: "Destinations" }).waitFor();
  });
  await reader.step("no script of a page can read what signs in", async (page) => {
    assert.equal(await page.evaluate(() => document.cookie), "");
  });
  await reader.step("colours are chosen and stay", async (page) => {
    await page.getByLabel("Colours").selectOption("dark");
    await page.locator("html[data-theme=dark]").waitFor();
    await reader.go("/");
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.getByLabel("Colours").selectOption("light");
    await page.locator("html[data-theme=light]").waitFor();
    assert.notEqual(await ground(), dark);
  });
  await reader.step("signing out ends it, in another window too", async (page) => {
    const other = await reader.context.newPage();
    await other.goto("/");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL("**/sign-in");
    await other.goto("/");
    assert.equal(new URL(other.url()).pathname, "/sign-in");
  });
  await reader.close();
}
