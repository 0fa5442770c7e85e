// The live view after some thousands of events: it holds as much as after the first few hundred.
import assert from "node:assert/strict";

import { Reader } from "../reader.mjs";
import { partnerEvent, until } from "../stage.mjs";
import { tab, told } from "../tab.mjs";

/** More than the view shows, and the script remembers: of what comes too fast for a reader a part is shown. */
const FIRST = 1_500;
const THEN = 6_000;
const AT_ONCE = 16;
const ROWS_MAX = 200;
/** Of the same rows with other texts. */
const NODES_RATIO_MAX = 1.1;
const HEAP_GROWTH_BYTES_MAX = 2_000_000;

async function events(first, count) {
  const numbers = Array.from({ length: count }, (_, n) => first + n).values();
  const send = async () => {
    for (const n of numbers) assert.equal(await partnerEvent(`live_${n}`, `order.number.${n}`, {}, `{"n":${n}}`), 200);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
}

export default async function walk() {
  const reader = await Reader.open();
  await reader.step(`a full view, then ${THEN} events more: rows, nodes and memory stay as they were`, async (page) => {
    await reader.go("/events/live");
    await page.getByText("Following.").waitFor();
    const watched = await tab(reader);
    let sent = 0;
    await until("a full view", async () => {
      await events(sent, FIRST);
      sent += FIRST;
      await until("all of the first", async () => (await told(page)) >= sent);
      return (await page.locator("#live-rows tr").count()) >= ROWS_MAX;
    });
    const before = await watched.held();
    await events(sent, THEN);
    await until("all of them", async () => (await told(page)) >= sent + THEN);
    const after = await watched.held();
    console.log(`tab before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`);
    assert.ok((await page.locator("#live-rows tr").count()) <= ROWS_MAX, "rows are bounded");
    assert.ok(after.nodes <= before.nodes * NODES_RATIO_MAX, `${before.nodes} nodes became ${after.nodes}`);
    assert.equal(after.listeners, before.listeners);
    const grown = after.heap_bytes - before.heap_bytes;
    assert.ok(grown <= HEAP_GROWTH_BYTES_MAX, `the heap grew by ${grown} bytes`);
    await watched.end();
  });
  await reader.close();
}
