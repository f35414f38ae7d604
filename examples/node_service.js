// Node's own http: `node examples/node_service.js`
const http = require("node:http");

const { HOST = "0.0.0.0", PORT, HOSTNAME, DRAIN_SECONDS = "20" } = process.env;

const server = http.createServer((request, response) => {
  response.setHeader("x-hostname", HOSTNAME);
  response.end(request.url === "/ready" ? "ready\n" : `order ${request.url.split("/").pop()}\n`);
});
// Longer than the proxy's 300 s, so that never the service closes a connection in use; the default is 5 s.
server.keepAliveTimeout = 310_000;
server.listen(Number(PORT), HOST);

// Serve on after SIGTERM: the gateway sends requests until its cache of the tasks has expired.
process.once("SIGTERM", () => {
  setTimeout(() => {
    server.close();
    server.closeIdleConnections();
  }, DRAIN_SECONDS * 1000);
});
