// Starts the handlers and, beside them, the outbox; stops both on SIGTERM without cutting anything off.

import { makeApp } from "./app.js";
import { run } from "./lib/outbox.js";
import { makePool } from "./lib/pool.js";

const pool = makePool();
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
