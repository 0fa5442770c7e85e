// How the tests reach the app: over a socket, as the gateway does.

import { once } from "node:events";

import { makeApp } from "../app.js";
import { makePool } from "../lib/pool.js";

const pool = makePool();
const server = makeApp(pool).listen(0, "127.0.0.1");
await once(server, "listening");

export async function send(source, headers, raw) {
  const url = `http://127.0.0.1:${server.address().port}/webhooks/${source}`;
  const response = await fetch(url, { method: "POST", headers, body: raw });
  return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
}

export async function close() {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await pool.end();
}
