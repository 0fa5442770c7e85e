// The Express side: raw bytes in, an answer out.

import express from "express";

import { BODY_BYTES_MAX } from "./handlers/index.js";
import { readSecrets, receive } from "./lib/receive.js";

export function makeApp(pool, secrets = readSecrets()) {
  const app = express();
  app.disable("x-powered-by");
  // No other body parser before it, and nothing decompressed: the signature is over the bytes as they came.
  const rawBody = express.raw({ type: () => true, limit: BODY_BYTES_MAX, inflate: false });
  app.post("/webhooks/:source", rawBody, async (request, response) => {
    const raw = request.body ?? Buffer.alloc(0);
    const answer = await receive(pool, secrets, request.params.source, request.headers, raw);
    return response.status(answer.status).set(answer.headers).send(answer.text);
  });
  // Express' own would show the stack: a body that is too large (413), or was cut off (400).
  app.use((error, _request, response, _next) => {
    response.status(error.status ?? 500).type("text/plain").send(error.expose ? error.message : "try again");
  });
  return app;
}
