// The Fastify side: raw bytes in, an answer out.

import Fastify from "fastify";

import { BODY_BYTES_MAX } from "./handlers/index.js";
import { readSecrets, receive } from "./lib/receive.js";

/** For one request to come in. Without it Fastify waits for ever. */
const REQUEST_MS_MAX = 30_000;

export function makeApp(pool, secrets = readSecrets()) {
  const app = Fastify({ bodyLimit: BODY_BYTES_MAX, requestTimeout: REQUEST_MS_MAX });
  // The signature is over the bytes as they came, so nothing may parse them before it was checked.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.post("/webhooks/:source", async (request, reply) => {
    const raw = request.body ?? Buffer.alloc(0);
    const answer = await receive(pool, secrets, request.params.source, request.headers, raw);
    return reply.code(answer.status).headers(answer.headers).send(answer.text);
  });
  return app;
}
