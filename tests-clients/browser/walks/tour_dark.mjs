// Every page, as it is on an ordinary day, in dark. Leaves a picture of each.
import { accessible } from "../laws.mjs";
import { DOCS } from "../pages.mjs";
import { Reader } from "../reader.mjs";
import { lookAtAll, pagesOfAnOrdinaryDay } from "../tours.mjs";

export default async function walk() {
  const pages = await pagesOfAnOrdinaryDay();
  const reader = await Reader.open({ scheme: "dark" });
  await lookAtAll(reader, [...pages, DOCS], "in dark", async (page, path, name) => {
    await reader.go(path);
    await reader.shoot("dark", name);
    await accessible(page);
  });
  await reader.close();
}
