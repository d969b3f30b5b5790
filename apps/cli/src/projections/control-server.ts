import { chmod, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";

import { isHeddleError, type Logger } from "@heddle/core";

import {
  controlCommands,
  requestBytesMax,
  type ControlAnswer,
  type ControlCommand,
  type ControlRequest,
} from "./control-socket.ts";
import type {
  AuditRequest,
  Desk,
  ProjectionsRequest,
  RebuildRequest,
  ReconcileRequest,
  SettleRequest,
  SinksRequest,
} from "./desk.ts";
import type { RowsRequest } from "./projection-reports.ts";

/** Whoever asks is one person; more at once is something else. */
const connectionsMax = 8;

/**
 * Lets other processes of this machine ask about projections that this one has open: one request and
 * one answer for each connection. Who hangs up takes the request back.
 */
export class ControlServer {
  readonly #desk: Desk;
  readonly #logger: Logger;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(desk: Desk, logger: Logger) {
    this.#desk = desk;
    this.#logger = logger;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = connectionsMax;
  }

  /** Only for the process that has locked the folder: what lies at `path` from before is removed. */
  static async start(path: string, desk: Desk, logger: Logger): Promise<ControlServer> {
    const control = new ControlServer(desk, logger);
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      control.#server.once("error", reject);
      control.#server.listen(path, resolve);
    });
    control.#server.removeAllListeners("error");
    control.#server.on("error", (error) => {
      logger.error("projections.control_failed", { error: String(error) });
    });
    await chmod(path, 0o600);
    return control;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const gone = new AbortController();
    let text = "";
    let isAsked = false;
    socket.setEncoding("utf8");
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#sockets.delete(socket);
      gone.abort(new Error("whoever asked has hung up"));
    });
    socket.on("data", (chunk: string) => {
      text += chunk;
      if (text.length > requestBytesMax) return void socket.destroy();
      const end = text.indexOf("\n");
      if (end < 0 || isAsked) return;
      isAsked = true;
      // The answer may take as long as a run does.
      socket.setTimeout(0);
      void this.#answer(text.slice(0, end), gone.signal).then((answer) => {
        socket.end(`${answer}\n`);
      });
    });
  }

  /** The answer as JSON. One that is too long for a string is an error like others, and no end of the process. */
  async #answer(line: string, signal: AbortSignal): Promise<string> {
    try {
      return inWords({ result: await this.#carryOut(parseRequest(line), signal) });
    } catch (error) {
      this.#logger.warn("projections.control_refused", { error: String(error) });
      const code = isHeddleError(error) ? error.code : undefined;
      return inWords({
        error: { code, message: error instanceof Error ? error.message : String(error) },
      });
    }
  }

  #carryOut({ command, request }: ControlRequest, signal: AbortSignal): Promise<unknown> {
    switch (command) {
      case "reconcile":
        // People are served by this process: what they ask for goes at the pace of a job.
        return this.#desk.reconcile({ ...(request as ReconcileRequest), isGentle: true }, signal);
      case "audit":
        return this.#desk.audit(request as AuditRequest);
      case "trimmed":
        return this.#desk.trimmed();
      case "rebuild":
        return this.#desk.rebuild(request as RebuildRequest, signal);
      case "projections":
        return this.#desk.projections(request as ProjectionsRequest);
      case "rows":
        return this.#desk.rows(request as RowsRequest, signal);
      case "sinks":
        return this.#desk.sinks(request as SinksRequest);
      case "settle-dead":
        return this.#desk.settleDead(request as SettleRequest, signal);
    }
  }
}

function parseRequest(line: string): ControlRequest {
  const parsed = JSON.parse(line) as Partial<ControlRequest> | null;
  const { command, request } = parsed ?? {};
  const isKnown = controlCommands.includes(command as ControlCommand);
  if (!isKnown || typeof request !== "object" || request === null) {
    throw new Error("that is no request");
  }
  return { command: command as ControlCommand, request };
}

function inWords(answer: ControlAnswer): string {
  return JSON.stringify(answer);
}
