// The outbox as a process of its own (`npm run outbox`): what answers requests here may be frozen between them. With
// `--once` it performs what is due and ends, for a scheduler that calls it every minute.

import { drain, run } from "./lib/outbox.js";
import { pool } from "./lib/pool.js";

const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
if (process.argv.includes("--once")) await drain(pool);
else await run(pool, stop.signal);
await pool.end();
