// One walk through the dashboard, in Debian's Chromium: `node browser.mjs NAME` runs `browser/walks/NAME.mjs` against
// the gateway that `HOOKHAVEN_STAGE` tells of (`tests/e2e/dashboard.rs` starts it). Prints a line a step; ends with 1
// and all that is known if one fails.
import { close } from "./browser/reader.mjs";

const name = process.argv[2];
const began = performance.now();
try {
  const { default: walk } = await import(`./browser/walks/${name}.mjs`);
  await walk();
  console.log(`walk ${name} passed in ${((performance.now() - began) / 1_000).toFixed(1)} s`);
} catch (error) {
  console.log(`walk ${name} FAILED: ${error?.stack ?? error}`);
  process.exitCode = 1;
} finally {
  await close();
}
