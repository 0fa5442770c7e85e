// An event as the handlers see it, read from a verified request.

/** Thrown for what no later attempt can change: the event becomes a dead letter at once and waits for a person. */
export class NeverSucceeds extends Error {}

/** Answers a test of types against patterns such as `invoice.*`, in which only `*` has a meaning. */
export function isAny(type, patterns) {
  return patterns.some((pattern) => {
    const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${parts.join(".*")}$`, "s").test(type);
  });
}

export function readEvent(name, source, headers, raw) {
  const isForm = String(headers["content-type"]).startsWith("application/x-www-form-urlencoded");
  const { text, body } = parse(raw, isForm);
  return {
    source: name,
    // The same at every attempt, at the sender's own repetitions, and at replays.
    id: headers["webhook-id"],
    type: headers["hookhaven-event-type"],
    // When it happened, as far as the sender says so; else when it reached the gateway.
    occurredAt: headers["hookhaven-occurred-at"] ?? headers["hookhaven-received-at"],
    receivedAt: headers["hookhaven-received-at"],
    objectId: objectId(source.objectPlaces, headers, body) ?? headers["webhook-id"],
    body,
    // Numbers beyond 2^53 survive in the text only.
    json: isForm ? JSON.stringify(body) : text,
  };
}

function parse(raw, isForm) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(raw);
    return { text, body: isForm ? Object.fromEntries(new URLSearchParams(text)) : JSON.parse(text) };
  } catch {
    throw new NeverSucceeds("the body is neither JSON nor a form");
  }
}

/** The first alternative whose first place holds something, with what its other places hold. */
function objectId(alternatives, headers, body) {
  for (const places of alternatives) {
    const [first, ...more] = places.map((place) => look(place, headers, body));
    if (first !== undefined) return [first, ...more.filter((part) => part !== undefined)].join("/");
  }
  return undefined;
}

/** `header:NAME`, or `json:/a/b` for `body.a.b`. */
function look(place, headers, body) {
  const at = place.indexOf(":");
  const name = place.slice(at + 1);
  if (place.slice(0, at) === "header") return headers[name];
  let value = body;
  for (const key of name.split("/").slice(1)) {
    const unescaped = key.replaceAll("~1", "/").replaceAll("~0", "~");
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, unescaped)) return undefined;
    value = value[unescaped];
  }
  // A number that JavaScript rounds would be the id of something else too.
  return typeof value === "string" || Number.isSafeInteger(value) ? String(value) : undefined;
}
