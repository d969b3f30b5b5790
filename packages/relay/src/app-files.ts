import type { IncomingMessage, ServerResponse } from "node:http";

import sirv from "sirv";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** The app loads nothing from anybody else, and talks to relays only. CodeMirror adds style elements. */
const contentSecurityPolicy = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self' ws: wss:",
  "frame-ancestors 'none'",
].join("; ");

/** Serves the files of a built web application, or a sentence for people who open the address. */
export function appFiles(directory: string | undefined): Handler {
  const files =
    directory === undefined
      ? undefined
      : sirv(directory, {
          etag: true,
          setHeaders(response) {
            response.setHeader("Content-Security-Policy", contentSecurityPolicy);
            response.setHeader("X-Content-Type-Options", "nosniff");
          },
        });
  return (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      answer(response, 405, "This address answers GET and WebSocket.\n");
    } else if (files) {
      files(request, response, () => answer(response, 404, "There is no such file.\n"));
    } else {
      answer(response, 200, "heddle relay: connect a y-websocket client to /<document name>.\n");
    }
  };
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(text);
}
