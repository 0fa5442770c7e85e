// Every method of the official QStash client for JavaScript, against a gateway that runs: one check a subject, each
// prints its name. `QSTASH_URL`, `QSTASH_TOKEN` and the two signing keys come from the environment, as for any user
// of it; `READ_TOKEN` is one that only reads. The destinations are servers of this process, on loopback.
import assert from "node:assert/strict";
import { Client, Receiver } from "@upstash/qstash";

import { errors, flowControl, signatures } from "./qstash-js/access.mjs";
import { documented } from "./qstash-js/documented.mjs";
import { check, conclude } from "./qstash-js/harness.mjs";
import { deadLetters, logs } from "./qstash-js/history.mjs";
import { messages } from "./qstash-js/messages.mjs";
import { publishing } from "./qstash-js/publishing.mjs";
import { groups, queues } from "./qstash-js/queues.mjs";
import { schedules } from "./qstash-js/schedules.mjs";
import { settings } from "./qstash-js/settings.mjs";

// The client says on standard error what was refused, which is often what is wanted here.
console.error = () => {};

/** Notes which methods of these are called; the names of those that were not. */
function watched(parts) {
  const left = new Set();
  for (const part of parts) {
    const prototype = Object.getPrototypeOf(part);
    for (const [name, { value: method }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (typeof method !== "function" || name === "constructor") continue;
      const called = `${prototype.constructor.name}.${name}`;
      left.add(called);
      prototype[name] = function (...given) {
        left.delete(called);
        return method.apply(this, given);
      };
    }
  }
  return left;
}

const client = new Client();
const { dlq, flowControl: flow, messages: single, schedules: timed, urlGroups, workflow } = client;
const left = watched([client, client.queue(), dlq, flow, single, timed, urlGroups, workflow, new Receiver()]);

const calls = [publishing, settings, messages, queues, groups, schedules, deadLetters, logs, flowControl, errors];
// Last, for they rotate the keys.
const subjects = [...calls, documented, signatures];
for (const subject of subjects) await subject(client);
await check("no method of the client was left out", () => assert.deepEqual([...left], []));
conclude();
