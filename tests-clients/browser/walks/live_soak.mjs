// The live view for long, beside a load that somebody else makes: what the tab holds at given times, as lines of JSON.
// No test: `cargo xtask soak live-view` runs it and judges.
import { Reader } from "../reader.mjs";
import { stage } from "../stage.mjs";
import { tab, told } from "../tab.mjs";

export default async function walk() {
  const reader = await Reader.open();
  await reader.step("followed for long", async (page) => {
    await reader.go("/events/live?kind=event");
    await page.getByText("Following.").waitFor();
    const watched = await tab(reader);
    const began = performance.now();
    for (const after_s of stage.look_after_s) {
      await new Promise((over) => setTimeout(over, Math.max(0, began + after_s * 1_000 - performance.now())));
      const held = await watched.held();
      const rows = await page.locator("#live-rows tr").count();
      console.log(`seen ${JSON.stringify({ after_s, told: await told(page), rows, ...held })}`);
    }
  });
  await reader.close();
}
