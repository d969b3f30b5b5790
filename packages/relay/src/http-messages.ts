import type { IncomingMessage, ServerResponse } from "node:http";

import type { Scheduler } from "@heddle/core";

export interface BodyBounds {
  readonly bytesMax: number;
  /** Until the body is complete. */
  readonly msMax: number;
  readonly scheduler: Scheduler;
}

/**
 * The body of a request. A body over its bound is not read: by its declared length before its first byte,
 * else as soon as it is over. `gone` when the sender went away first.
 */
export function readBody(
  request: IncomingMessage,
  { bytesMax, msMax, scheduler }: BodyBounds,
): Promise<Uint8Array | "too-large" | "too-slow" | "gone"> {
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) {
    return Promise.resolve("too-large");
  }
  return new Promise((resolve) => {
    // One piece that grows: kept as they come, a byte each, pieces would cost a hundred times the body.
    let body = Buffer.alloc(0);
    let bytes = 0;
    const settle = (outcome: Uint8Array | "too-large" | "too-slow" | "gone") => {
      cancel();
      request.off("data", take);
      request.pause();
      resolve(outcome);
    };
    const cancel = scheduler.after(msMax, () => settle("too-slow"));
    const take = (chunk: Buffer) => {
      if (bytes + chunk.length > bytesMax) return settle("too-large");
      if (bytes + chunk.length > body.length) {
        const room = Math.max(bytes + chunk.length, Math.min(bytesMax, body.length * 2));
        const larger = Buffer.alloc(room);
        body.copy(larger, 0, 0, bytes);
        body = larger;
      }
      chunk.copy(body, bytes);
      bytes += chunk.length;
    };
    request.on("data", take);
    request.once("end", () => settle(body.subarray(0, bytes)));
    request.once("close", () => settle("gone"));
    // Its close follows.
    request.once("error", () => undefined);
  });
}

/** Answers in one piece, never to be kept by anybody on the way. */
export function answer(
  response: ServerResponse,
  status: number,
  body: Uint8Array | string = "",
): void {
  // Whoever asked may be gone, and a session may have ended while its answer was made.
  if (response.writableEnded || response.destroyed) return;
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const isText = typeof body === "string";
  response.writeHead(status, {
    "Content-Type": isText ? "text/plain; charset=utf-8" : "application/octet-stream",
    ...(status !== 204 && { "Content-Length": bytes.length }),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    ...((status === 429 || status === 503) && { "Retry-After": "5" }),
    // What is left of a body that was not read is not read either.
    ...((status === 408 || status === 413) && { Connection: "close" }),
  });
  response.end(bytes);
}
