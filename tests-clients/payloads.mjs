// GitHub's example payloads, from its own package: one JSON line {"name","payload"} each, then the end.
import { createRequire } from "node:module";

const examples = createRequire(import.meta.url)("@octokit/webhooks-examples");

for (const { name, examples: payloads } of examples) {
  for (const payload of payloads) {
    process.stdout.write(JSON.stringify({ name, payload }) + "\n");
  }
}
