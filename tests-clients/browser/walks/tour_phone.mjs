// Every page, as it is on an ordinary day, on a phone. Leaves a picture of each.
import { accessible, narrow, still } from "../laws.mjs";
import { DOCS } from "../pages.mjs";
import { PHONE, Reader } from "../reader.mjs";
import { lookAtAll, pagesOfAnOrdinaryDay } from "../tours.mjs";

export default async function walk() {
  const pages = await pagesOfAnOrdinaryDay();
  const reader = await Reader.open({ size: PHONE });
  await lookAtAll(reader, [...pages, DOCS], "on a phone", async (page, path, name) => {
    await reader.go(path);
    await reader.shoot("phone", name);
    await narrow(page);
    await still(page);
    await accessible(page);
  });
  await reader.close();
}
