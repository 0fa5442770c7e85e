// The database. Who waits for it gives up before the gateway does, so that the gateway hears it and tries again.

import pg from "pg";

/** For a connection. The gateway waits for an answer for 10 s at least. */
const CONNECT_MS_MAX = 5_000;

export function makePool(env = process.env) {
  if (!env.DATABASE_URL) throw new Error("DATABASE_URL is not set: postgres://user:password@host/database");
  const pool = new pg.Pool({ connectionString: env.DATABASE_URL, connectionTimeoutMillis: CONNECT_MS_MAX });
  // A connection that breaks while nobody uses it is replaced at its next use.
  pool.on("error", (error) => console.error(JSON.stringify({ pool: String(error) })));
  return pool;
}
