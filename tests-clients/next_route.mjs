// Serves the route handler of a Next.js project as Next.js calls it: with a Request and the path's parameters. Copied into
// the project's folder, so that its imports are the project's.

import http from "node:http";

import { POST } from "./app/webhooks/[source]/route.js";

const server = http.createServer(async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const source = /^\/webhooks\/([^/]+)$/.exec(incoming.url)?.[1];
  const request = new Request(`http://${incoming.headers.host}${incoming.url}`, {
    method: incoming.method,
    headers: incoming.headers,
    body: Buffer.concat(chunks),
  });
  const response = await POST(request, { params: Promise.resolve({ source }) });
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(Buffer.from(await response.arrayBuffer()));
});
server.listen(0, "127.0.0.1", () => console.log(`listening on 127.0.0.1:${server.address().port}`));
