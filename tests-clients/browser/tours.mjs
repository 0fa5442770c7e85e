// What the walks have in common that look at every page on an ordinary day: which pages, and that a fault of one does not
// hide those of the next.
import { PAGES, filled, names } from "./pages.mjs";
import { ordinary } from "./traffic.mjs";

/** Every page by its name, after ordinary traffic. */
export async function pagesOfAnOrdinaryDay() {
  await ordinary();
  const known = await names();
  const pages = PAGES.map(([name, form]) => [name, filled(form, known)]);
  const unfilled = pages.find(([, path]) => path === undefined);
  if (unfilled) throw new Error(`there is nothing to show on page ${unfilled[0]}`);
  return pages;
}

/** Looks at each of these; fails with all that was wrong. */
export async function lookAtAll(reader, pages, where, look) {
  const failures = [];
  for (const [name, path] of pages) await reader.look(`${name} ${where}`, (page) => look(page, path, name), failures);
  if (failures.length) throw new Error(`${failures.length} pages are not as they should be\n\n${failures.join("\n\n")}`);
}
