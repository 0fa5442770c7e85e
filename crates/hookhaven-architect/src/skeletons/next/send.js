// How the tests reach the route handler: with the Request that Next.js would hand it.

import { POST } from "../app/webhooks/[source]/route.js";

export async function send(source, headers, raw) {
  const request = new Request(`http://127.0.0.1/webhooks/${source}`, { method: "POST", headers, body: raw });
  const response = await POST(request, { params: Promise.resolve({ source }) });
  return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
}

export async function close() {
  await globalThis.webhooks?.pool.end();
}
