// Every page, as it is on an ordinary day: in light, in dark, on a phone. Leaves a picture of each.
import { accessible, narrow, reachable, still, weight } from "../laws.mjs";
import { DOCS, ELSEWHERE, PAGES, filled, listed, names } from "../pages.mjs";
import { PHONE, Reader } from "../reader.mjs";
import { ordinary } from "../traffic.mjs";

export default async function walk() {
  await ordinary();
  const known = await names();
  const pages = PAGES.map(([name, form]) => [name, filled(form, known)]);
  const unfilled = pages.find(([, path]) => path === undefined);
  if (unfilled) throw new Error(`there is nothing to show on page ${unfilled[0]}`);
  const failures = [];
  await inLight(pages, failures);
  await inDark(pages, failures);
  await onPhone(pages, failures);
  if (failures.length) throw new Error(`${failures.length} pages are not as they should be\n\n${failures.join("\n\n")}`);
}

async function inLight(pages, failures) {
  const reader = await Reader.open();
  const weights = [];
  for (const [name, path] of pages) {
    const look = async (page) => {
      weights.push([await weight(reader, path), name]);
      await still(page);
      await narrow(page);
      await reader.shoot("light", name);
      await accessible(page);
      await noDeadLinks(page);
      await reachable(page);
    };
    await reader.look(`${name} in light, by keyboard, to a screen reader`, look, failures);
  }
  const [docs, path] = DOCS;
  const look = async (page) => {
    await reader.go(path);
    await still(page);
    await narrow(page);
    await reader.shoot("light", docs);
    await accessible(page);
  };
  await reader.look(`${docs} in light`, look, failures);
  const [bytes, heaviest] = weights.sort(([a], [b]) => b - a)[0];
  console.log(`the heaviest page is ${heaviest}: ${bytes} bytes with all that it loads`);
  await reader.close();
}

async function inDark(pages, failures) {
  const reader = await Reader.open({ scheme: "dark" });
  for (const [name, path] of [...pages, DOCS]) {
    const look = async (page) => {
      await reader.go(path);
      await reader.shoot("dark", name);
      await accessible(page);
    };
    await reader.look(`${name} in dark`, look, failures);
  }
  await reader.close();
}

async function onPhone(pages, failures) {
  const reader = await Reader.open({ size: PHONE });
  for (const [name, path] of [...pages, DOCS]) {
    const look = async (page) => {
      await reader.go(path);
      await reader.shoot("phone", name);
      await narrow(page);
      await still(page);
      await accessible(page);
    };
    await reader.look(`${name} on a phone`, look, failures);
  }
  await reader.close();
}

/** Whatever is linked to is a page that this tour visits, so that none is left out. */
async function noDeadLinks(page) {
  const links = await page.$$eval("a[href]", (all) => all.filter((a) => a.origin === location.origin).map((a) => a.pathname));
  const all = [...PAGES.map(([, form]) => form), ...ELSEWHERE];
  const unknown = [...new Set(links)].filter((link) => !listed(decodeURI(link), all));
  if (unknown.length) throw new Error(`no page of the tour, and linked to: ${unknown.join(", ")}`);
}
