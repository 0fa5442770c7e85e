// The Express side: raw bytes in, an answer out.

import express from "express";

import { BODY_BYTES_MAX } from "./handlers/index.js";
import { readSecrets, receive } from "./lib/receive.js";

export function makeApp(pool, secrets = readSecrets()) {
  const app = express();
  app.disable("x-powered-by");
  // No body parser, here or before: the signature is over the bytes as they came.
  app.post("/webhooks/:source", async (request, response) => {
    const raw = await readBody(request);
    if (!raw) return response.status(413).send("the body is too large");
    const answer = await receive(pool, secrets, request.params.source, request.headers, raw);
    return response.status(answer.status).set(answer.headers).send(answer.text);
  });
  return app;
}

/** The whole body, or nothing if it is larger than any that the gateway takes. */
async function readBody(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
