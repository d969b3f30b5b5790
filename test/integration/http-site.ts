import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { httpTransport, type Fetch } from "@heddle/client/http";
import { HttpAcceptor, type HttpAcceptorOptions } from "@heddle/relay";
import type { Connection } from "@heddle/sync";
import {
  CountedScheduler,
  seededRandom,
  type TransportSide,
  type TransportSite,
} from "@heddle/testkit";

import { Arrivals } from "./arrivals.ts";

/** Long enough for a machine that is busy with something else. */
const idleMs = 3_000;
const pollMs = 300;
const graceMs = 3_000;

export interface HttpSite extends TransportSite {
  readonly url: string;
  readonly acceptor: HttpAcceptor;
  readonly scheduler: CountedScheduler;
}

/** A real server on loopback, and the platform's own fetch. */
export async function httpSite(options: Partial<HttpAcceptorOptions> = {}): Promise<HttpSite> {
  const scheduler = new CountedScheduler();
  const accepted = new Arrivals<Connection>();
  const running = new Set<ServerResponse>();
  const silent = { dialer: false, acceptor: false };
  const acceptor = new HttpAcceptor({
    environment: { scheduler, random: seededRandom("sessions") },
    onConnection: (connection) => accepted.add(connection),
    ...options,
    limits: { idleMs, ...options.limits },
  });
  const server = createServer((request, response) => {
    running.add(response);
    response.once("close", () => running.delete(response));
    // A stopped process leaves its kernel to take requests that nobody reads.
    if (silent.acceptor || request.url === "/mute/sessions") return;
    if (!acceptor.handle(request, response)) response.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fetchOrNothing: Fetch = (url, init) => {
    return silent.dialer ? new Promise(() => {}) : fetch(url, init);
  };
  const settings = { scheduler, fetch: fetchOrNothing, pollMs, graceMs };
  const url = `${origin}/heddle/1/`;
  return {
    url,
    acceptor,
    scheduler,
    transport: httpTransport({ url, ...settings }),
    unreachable: httpTransport({
      url: `${origin}/mute/`,
      ...settings,
      limits: { dialMsMax: 400 },
    }),
    accept: () => accepted.next(),
    async forge(bytes) {
      const session = await (await fetch(`${url}sessions`, { method: "POST" })).text();
      const body = new Uint8Array(4 + bytes.length);
      new DataView(body.buffer).setUint32(0, bytes.length);
      body.set(bytes, 4);
      await fetch(`${url}sessions/${session}/up?n=0`, { method: "POST", body });
      return accepted.next();
    },
    silence(side: TransportSide) {
      silent[side] = true;
    },
    leftovers: () => [
      ...Array.from({ length: scheduler.pending }, () => "timer"),
      ...Array.from({ length: acceptor.sessionCount }, () => "session"),
      ...(silent.acceptor ? [] : Array.from(running, () => "request")),
    ],
    async dispose() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
