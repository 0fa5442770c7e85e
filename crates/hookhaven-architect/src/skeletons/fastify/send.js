// How the tests reach the app: through Fastify, without a socket.

import pg from "pg";

import { makeApp } from "../app.js";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const app = makeApp(pool);

export async function send(source, headers, raw) {
  const response = await app.inject({ method: "POST", url: `/webhooks/${source}`, headers, payload: raw });
  return { status: response.statusCode, headers: response.headers, text: response.body };
}

export async function close() {
  await app.close();
  await pool.end();
}
