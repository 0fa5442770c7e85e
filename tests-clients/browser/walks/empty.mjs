// A gateway with nothing in it yet: every page says so, and what to do next.
import assert from "node:assert/strict";

import { accessible, narrow, still } from "../laws.mjs";
import { PAGES } from "../pages.mjs";
import { PHONE, Reader } from "../reader.mjs";

export default async function walk() {
  const pages = PAGES.filter(([, form]) => !form.includes("{"));
  const reader = await Reader.open();
  const phone = await Reader.open({ size: PHONE });
  for (const [name, path] of pages) {
    await reader.step(`${name} with nothing to show`, async (page) => {
      await reader.go(path);
      await reader.shoot("empty", name);
      await still(page);
      await accessible(page);
      assert.ok((await page.locator("main").innerText()).trim().length > 40, "it says something");
    });
    await phone.step(`${name} with nothing to show, on a phone`, async (page) => {
      await phone.go(path);
      await narrow(page);
    });
  }
  await reader.close();
  await phone.close();
}
