// A token: made, shown once, used, revoked. And what the audit log tells of it.
import assert from "node:assert/strict";

import { Reader } from "../reader.mjs";
import { stage } from "../stage.mjs";

const status = async (token, path = "/status") =>
  (await fetch(`${stage.admin}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } })).status;

export default async function walk() {
  const reader = await Reader.open();
  const token = await reader.step("made, and shown once", async (page) => {
    await reader.go("/settings/tokens");
    await page.getByLabel("What it is known by").fill("ci");
    await page.getByRole("button", { name: "Make it" }).click();
    const made = page.getByRole("status").filter({ hasText: "is made" });
    await made.waitFor();
    const token = (await made.locator("code").first().textContent()).trim();
    assert.match(token, /^hh_/);
    assert.equal(await status(token), 200);
    assert.equal(await status(token, "/tokens"), 403);
    await reader.go("/settings/tokens");
    assert.ok(!(await page.content()).includes(token), "it is shown this once");
    return token;
  });
  await reader.step("who it signs in sees pages, and has a name", async () => {
    const other = await Reader.open({ token });
    await other.go("/");
    await other.page.getByText(/Signed in with/).getByText("ci").waitFor();
    await other.close();
  });
  await reader.step("revoked after a question: it opens nothing any more", async (page) => {
    const revoke = page.getByRole("button", { name: "Revoke ci" });
    await revoke.click();
    await page.getByRole("dialog").getByRole("button", { name: "No" }).click();
    assert.equal(await status(token), 200);
    await revoke.click();
    await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();
    await page.getByRole("status").waitFor();
    assert.equal(await status(token), 401);
  });
  await reader.step("a name that is none is refused, in words", async (page) => {
    await page.getByLabel("What it is known by").fill("two words");
    await page.getByRole("button", { name: "Make it" }).click();
    assert.equal(await page.getByLabel("What it is known by").evaluate((el) => el.validity.valid), false);
  });
  await reader.step("the audit log tells who did it", async (page) => {
    await reader.go("/settings/audit");
    for (const action of ["tokens.create", "tokens.delete"]) await page.getByText(action).first().waitFor();
    assert.ok(!(await page.content()).includes(token));
  });
  await reader.close();
}
