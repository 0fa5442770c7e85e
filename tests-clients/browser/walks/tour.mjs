// Every page, as it is on an ordinary day: in light, by keyboard, to a screen reader, by weight. Leaves a picture of each.
import { accessible, narrow, reachable, still, weight } from "../laws.mjs";
import { DOCS, ELSEWHERE, PAGES, listed } from "../pages.mjs";
import { Reader } from "../reader.mjs";
import { lookAtAll, pagesOfAnOrdinaryDay } from "../tours.mjs";

export default async function walk() {
  const pages = await pagesOfAnOrdinaryDay();
  const reader = await Reader.open();
  const weights = [];
  await lookAtAll(reader, pages, "in light, by keyboard, to a screen reader", async (page, path, name) => {
    weights.push([await weight(reader, path), name]);
    await still(page);
    await narrow(page);
    await reader.shoot("light", name);
    await accessible(page);
    await noDeadLinks(page);
    await reachable(page);
  });
  const [bytes, heaviest] = weights.sort(([a], [b]) => b - a)[0];
  console.log(`the heaviest page is ${heaviest}: ${bytes} bytes with all that it loads`);
  await lookAtAll(reader, [DOCS], "in light", async (page, path, name) => {
    await reader.go(path);
    await still(page);
    await narrow(page);
    await reader.shoot("light", name);
    await accessible(page);
  });
  await reader.close();
}

/** Whatever is linked to is a page that this tour visits, so that none is left out. */
async function noDeadLinks(page) {
  const links = await page.$$eval("a[href]", (all) => all.filter((a) => a.origin === location.origin).map((a) => a.pathname));
  const all = [...PAGES.map(([, form]) => form), ...ELSEWHERE];
  const unknown = [...new Set(links)].filter((link) => !listed(decodeURI(link), all));
  if (unknown.length) throw new Error(`no page of the tour, and linked to: ${unknown.join(", ")}`);
}
