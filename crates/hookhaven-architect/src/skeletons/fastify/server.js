// Starts the handlers and, beside them, the outbox; stops both on SIGTERM without cutting anything off.

import pg from "pg";

import { makeApp } from "./app.js";
import { run } from "./lib/outbox.js";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
// A connection that breaks while nobody uses it is replaced at its next use.
pool.on("error", (error) => console.error(JSON.stringify({ pool: String(error) })));
const app = makeApp(pool);
const stop = new AbortController();
const outbox = run(pool, stop.signal);

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, async () => {
    await app.close();
    stop.abort();
    await outbox;
    await pool.end();
  });
}
const address = await app.listen({ host: process.env.HOST ?? "127.0.0.1", port: Number(process.env.PORT ?? 3000) });
console.log(JSON.stringify({ listening: address }));
