// What every webhook goes through, whatever the framework: verified, read, handled once, answered.
// Not here: what an event does (handlers/), how it is kept to once (once.js).

import { Webhook } from "standardwebhooks";

import { sources } from "../handlers/index.js";
import { NeverSucceeds, readEvent } from "./event.js";
import { handleOnce } from "./once.js";

/** Reads the secrets of all sources; throws, naming the variable, if one is missing or malformed. */
export function readSecrets(env = process.env) {
  const secrets = new Map();
  for (const [name, { secretVariable }] of sources) {
    // Several, separated by blanks, while one replaces the other.
    const listed = (env[secretVariable] ?? "").split(/\s+/).filter(Boolean);
    if (listed.length === 0) throw new Error(`${secretVariable} is not set: it holds the secret of ${name}, whsec_…`);
    try {
      secrets.set(name, listed.map((secret) => new Webhook(secret)));
    } catch {
      throw new Error(`${secretVariable} holds something that is no secret: whsec_ and base64 are wanted`);
    }
  }
  return secrets;
}

/**
 * Answers one attempt. 2xx is said only after the commit; 5xx asks for another attempt; 422 with
 * `webhook-delivery: abort-message` says that none would help.
 *
 * @param {import("pg").Pool} pool
 * @param {Map<string, Webhook[]>} secrets
 * @param {string} name of the source, from the path
 * @param {Record<string, string | string[] | undefined>} headers with names in lower case
 * @param {Buffer} raw the body as it came: what was signed
 */
export async function receive(pool, secrets, name, headers, raw) {
  const source = sources.get(name);
  if (!source) return answer(404, "no such source");
  const refused = whyUnsigned(secrets.get(name), headers, raw);
  if (refused) {
    console.error(JSON.stringify({ ...about(name, headers), refused }));
    return answer(401, refused);
  }
  // `hookhaven destinations test` asks whether somebody answers; nothing happened.
  if (headers["hookhaven-test"] === "true") return answer(200, "test");
  try {
    const event = readEvent(name, source, headers, raw);
    const outcome = await handleOnce(pool, source, event);
    console.log(JSON.stringify({ ...about(name, headers), outcome }));
    const { type, text } = source.reply?.(event) ?? { text: outcome };
    return answer(200, text, { "webhook-outcome": outcome }, type);
  } catch (error) {
    const isFinal = isHopeless(error);
    // Of what may be a mistake in a handler it is of use to know where.
    console.error(JSON.stringify({ ...about(name, headers), error: (!isFinal && error.stack) || String(error) }));
    if (isFinal) return answer(422, error.message, { "webhook-delivery": "abort-message" });
    return answer(500, "try again");
  }
}

/** Nothing if one of the secrets fits; else what the library says: the signature, or a clock that is minutes off. */
function whyUnsigned(secrets, headers, raw) {
  let refused;
  for (const secret of secrets) {
    try {
      // Not every sender posts JSON, so parsing is not its business.
      secret.verify(raw, headers, { jsonParse: false });
      return undefined;
    } catch (error) {
      refused = error.message;
    }
  }
  return refused;
}

/** PostgreSQL's classes 22 and 54: a value that it cannot hold, however often it is tried. */
function isHopeless(error) {
  return error instanceof NeverSucceeds || (typeof error.code === "string" && /^(22|54)...$/.test(error.code));
}

function about(source, headers) {
  return {
    source,
    webhook_id: headers["webhook-id"],
    event_type: headers["hookhaven-event-type"],
    attempt: Number(headers["hookhaven-attempt"]),
    // The delivery or job that this is a replay of, if a person asked for it again.
    replay: headers["hookhaven-replay"],
    correlation_id: headers["hookhaven-correlation-id"],
  };
}

function answer(status, text, headers = {}, type = "text/plain; charset=utf-8") {
  return { status, headers: { "content-type": type, ...headers }, text };
}
