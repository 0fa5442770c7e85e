// The outbox as a process of its own (`npm run outbox`): what answers requests here may be frozen between them. With
// `--once` it performs what is due and ends, for a scheduler that calls it every minute.

import { drain, run } from "./lib/outbox.js";
import { makePool } from "./lib/pool.js";

const pool = makePool();
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
await (process.argv.includes("--once") ? drain : run)(pool, stop.signal);
await pool.end();
