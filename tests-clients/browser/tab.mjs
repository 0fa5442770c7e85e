// What a tab holds: its script's memory and its nodes, once what nobody holds any more has been let go.
//
// Not here: what of that is too much (`walks/live_memory.mjs`, `walks/live_soak.mjs`).

/** Opened once a page; `held()` looks, `end()` lets go. */
export async function tab(reader) {
  const session = await reader.context.newCDPSession(reader.page);
  await session.send("Performance.enable");
  await session.send("HeapProfiler.enable");
  return {
    async held() {
      // What the first finds is let go, and what only that held is found by the second.
      for (let n = 0; n < 2; n += 1) await session.send("HeapProfiler.collectGarbage");
      const { metrics } = await session.send("Performance.getMetrics");
      const of = (name) => metrics.find((metric) => metric.name === name).value;
      return { heap_bytes: of("JSHeapUsedSize"), nodes: of("Nodes"), listeners: of("JSEventListeners") };
    },
    end: () => session.detach(),
  };
}

/** What the live view says that it was told, what it left out among it. */
export async function told(page) {
  const text = await page.locator("#live-count").textContent();
  return [...text.matchAll(/[\d,]+/g)].reduce((sum, [number]) => sum + Number(number.replaceAll(",", "")), 0);
}
