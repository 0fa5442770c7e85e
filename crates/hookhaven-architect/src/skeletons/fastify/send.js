// How the tests reach the app: through Fastify, without a socket.

import { makeApp } from "../app.js";
import { makePool } from "../lib/pool.js";

const pool = makePool();
const app = makeApp(pool);

export async function send(source, headers, raw) {
  const response = await app.inject({ method: "POST", url: `/webhooks/${source}`, headers, payload: raw });
  return { status: response.statusCode, headers: response.headers, text: response.body };
}

export async function close() {
  await app.close();
  await pool.end();
}
