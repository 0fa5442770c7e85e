// One pool a process. `next dev` loads modules anew at each change, so it is kept outside of them.

import pg from "pg";

function makePool() {
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 5 });
  // A connection that breaks while nobody uses it is replaced at its next use.
  pool.on("error", (error) => console.error(JSON.stringify({ pool: String(error) })));
  return pool;
}

export const pool = (globalThis.webhookPool ??= makePool());
