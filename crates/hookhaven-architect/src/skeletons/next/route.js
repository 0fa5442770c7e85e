// The Next.js side: raw bytes in, an answer out. Route handlers parse nothing, so there is nothing to switch off.

import { BODY_BYTES_MAX } from "../../../handlers/index.js";
import { pool } from "../../../lib/pool.js";
import { readSecrets, receive } from "../../../lib/receive.js";

// The driver needs Node.js; and no answer may come out of a cache.
export const runtime = "nodejs";
export const dynamic = "force-dynamic";

let secrets;

export async function POST(request, { params }) {
  // At the first request, not at import: `next build` imports this file where there are no secrets.
  secrets ??= readSecrets();
  const { source } = await params;
  const raw = Buffer.from(await request.arrayBuffer());
  if (raw.length > BODY_BYTES_MAX) return new Response("the body is too large", { status: 413 });
  const answer = await receive(pool, secrets, source, Object.fromEntries(request.headers), raw);
  return new Response(answer.text, { status: answer.status, headers: answer.headers });
}
