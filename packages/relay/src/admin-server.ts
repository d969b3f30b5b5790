import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";
import type { ReplicaTelemetry } from "@heddle/replica";
import { getRequestListener } from "@hono/node-server";
import { Hono, type Context } from "hono";

import { isTokenRight } from "./admission.ts";
import { RelayMetrics } from "./metrics.ts";
import type { ObservedRelay } from "./readiness.ts";
import { isLoopback } from "./relay-options.ts";

export interface AdminOptions {
  readonly environment: Environment;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Asked for as `Authorization: Bearer`; a must for any host but loopback. */
  readonly token?: string | undefined;
}

/** Scrapers and probes are few; whoever holds more open is something else. */
const connectionsMax = 64;

/**
 * What operators and their machines ask a relay, on a listener of its own: `/healthz`, `/readyz`,
 * `/metrics`. Nothing on it names a document or shows any content (OPS-1).
 *
 * It starts before the store is opened, so that a long recovery can be watched, and stops last.
 */
export class AdminServer {
  readonly #options: AdminOptions;
  readonly #metrics: RelayMetrics;
  readonly #http: Server;

  private constructor(options: AdminOptions) {
    this.#options = options;
    this.#metrics = new RelayMetrics(options.environment.clock);
    const limits = { requestTimeout: 5_000, headersTimeout: 5_000, maxHeaderSize: 8_192 };
    // The listener would otherwise replace the process's own Request and Response.
    const listener = getRequestListener(this.#app().fetch, { overrideGlobalObjects: false });
    this.#http = createServer(limits, (request, response) => void listener(request, response));
    this.#http.maxConnections = connectionsMax;
  }

  /**
   * @throws HeddleError `HEDDLE_CONFIG_INVALID` when other machines could reach it and no token was
   * given, or when the address cannot be had.
   */
  static async start(options: AdminOptions): Promise<AdminServer> {
    assertAdminDecided(options);
    const server = new AdminServer(options);
    await server.#listen();
    return server;
  }

  /** For the replica: what it tells here ends up in the histograms. */
  get telemetry(): ReplicaTelemetry {
    return this.#metrics;
  }

  get url(): string {
    const { host } = this.#options;
    const { port } = this.#http.address() as AddressInfo;
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  /** The relay listens now: from here on it may be ready. */
  watch(observed: ObservedRelay): void {
    this.#metrics.watch(observed);
  }

  /** Says "not ready" from here on, while clients are still served. */
  startDraining(): void {
    this.#metrics.startDraining();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeAllConnections();
    await closed;
    this.#metrics[Symbol.dispose]();
  }

  #app(): Hono {
    const app = new Hono();
    app.use(async (context, next) => {
      if (!this.#isAskedByRightName(context)) return context.text("This is not that host.\n", 421);
      context.header("Cache-Control", "no-store");
      context.header("X-Content-Type-Options", "nosniff");
      return await next();
    });
    app.get("/healthz", (context) => context.json({ status: "alive" }));
    app.get("/readyz", (context) => {
      const { ready, reasons, degraded } = this.#metrics.readiness;
      // A load balancer can rarely send a token: the answer is for all, the reasons are not.
      const body = this.#isKnown(context) ? { ready, reasons, degraded } : { ready };
      return context.json(body, ready ? 200 : 503);
    });
    app.get("/metrics", async (context) => {
      if (!this.#isKnown(context)) {
        context.header("WWW-Authenticate", "Bearer");
        return context.text("The admin token is missing or wrong.\n", 401);
      }
      const { text, contentType } = await this.#metrics.page(context.req.header("accept"));
      return context.body(text, 200, { "Content-Type": contentType });
    });
    app.notFound((context) => context.text("Ask for /healthz, /readyz or /metrics.\n", 404));
    app.onError((error, context) => {
      this.#options.environment.logger.error("admin.request_failed", { error: String(error) });
      return context.text("It failed; the log has more.\n", 500);
    });
    return app;
  }

  #isKnown(context: Context): boolean {
    const given = /^Bearer (.+)$/i.exec(context.req.header("authorization") ?? "")?.[1];
    return isTokenRight(given, { token: this.#options.token });
  }

  /** A web page can point a name of its own at 127.0.0.1, and would then read what it likes. */
  #isAskedByRightName(context: Context): boolean {
    const { host, token } = this.#options;
    if (token || !isLoopback(host)) return true;
    const { hostname } = new URL(context.req.url);
    return isLoopback(hostname.replace(/^\[|\]$/g, ""));
  }

  #listen(): Promise<void> {
    const { host, port, environment } = this.#options;
    return new Promise((resolve, reject) => {
      this.#http.once("error", (cause) => {
        this.#metrics[Symbol.dispose]();
        const message = `the admin port cannot listen on ${host}:${port}`;
        reject(new HeddleError(HeddleErrorCode.configInvalid, message, { cause }));
      });
      this.#http.listen(port, host, () => {
        this.#http.removeAllListeners("error");
        this.#http.on("error", (error) => {
          environment.logger.error("admin.server_error", { error: String(error) });
        });
        resolve();
      });
    });
  }
}

function assertAdminDecided({ host, token }: AdminOptions): void {
  if (isLoopback(host) || token) return;
  throw new HeddleError(
    HeddleErrorCode.configInvalid,
    `the admin port on ${host} can be reached from other machines: give --admin-token SECRET, ` +
      "or leave --admin-host at 127.0.0.1.",
  );
}
