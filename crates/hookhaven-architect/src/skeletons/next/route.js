// The Next.js side: raw bytes in, an answer out. Route handlers parse nothing, so there is nothing to switch off.

import { BODY_BYTES_MAX } from "../../../handlers/index.js";
import { makePool } from "../../../lib/pool.js";
import { readSecrets, receive } from "../../../lib/receive.js";

// The driver needs Node.js; and no answer may come out of a cache.
export const runtime = "nodejs";
export const dynamic = "force-dynamic";

export async function POST(request, { params }) {
  // At the first request, not at import: `next build` imports this file where there is neither secret nor database. And
  // outside of the module: `next dev` loads that anew at each change.
  globalThis.webhooks ??= { secrets: readSecrets(), pool: makePool() };
  const { pool, secrets } = globalThis.webhooks;
  const { source } = await params;
  const raw = await readBody(request);
  if (!raw) return new Response("the body is too large", { status: 413 });
  const answer = await receive(pool, secrets, source, Object.fromEntries(request.headers), raw);
  return new Response(answer.text, { status: answer.status, headers: answer.headers });
}

/** The whole body, or nothing if it is larger than any that the gateway takes. */
async function readBody(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
