// A project with `QSTASH_DEV=true`, unchanged: no address, no token, no keys. The client finds the development server on
// the port it is told, and takes it for its own.
import assert from "node:assert/strict";
import { Client, Receiver } from "@upstash/qstash";

import { check, conclude, ended, spot, states } from "./qstash-js/harness.mjs";

assert.equal(process.env.QSTASH_DEV, "true");
const taken = ["QSTASH_URL", "QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"];
assert.deepEqual(taken.filter((name) => name in process.env), []);

await check("QSTASH_DEV: published, delivered on loopback, verified", async () => {
  const client = new Client();
  const place = spot();
  const { messageId } = await client.publishJSON({ url: place.url, body: { a: 1 } });
  const got = await place.first();
  const signature = got.headers["upstash-signature"];
  assert.equal(await new Receiver().verify({ signature, body: got.text, url: place.url }), true);
  assert.deepEqual(states(await ended(client, messageId)), ["CREATED", "ACTIVE", "DELIVERED"]);
});
conclude();
