// Starts the handlers and, beside them, the outbox; stops both on SIGTERM without cutting anything off.

import { makeApp } from "./app.js";
import { run } from "./lib/outbox.js";
import { makePool } from "./lib/pool.js";

const pool = makePool();
const app = makeApp(pool);
const stop = new AbortController();
const outbox = run(pool, stop.signal);

const server = app.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? "127.0.0.1", (error) => {
  if (error) throw error;
  const { address, port } = server.address();
  console.log(JSON.stringify({ listening: `http://${address}:${port}` }));
});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, async () => {
    await new Promise((resolve) => server.close(resolve));
    stop.abort();
    await outbox;
    await pool.end();
  });
}
