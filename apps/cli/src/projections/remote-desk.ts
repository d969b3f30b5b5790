import { connect } from "node:net";

import { HeddleError, HeddleErrorCode } from "@heddle/core";
import type { JobReport } from "@heddle/reconcile";
import type { SettledDead } from "@heddle/replica";

import type { AuditLine, TrimmedJournal } from "./audit-lines.ts";
import {
  answerBytesMax,
  controlSocketOf,
  type ControlAnswer,
  type ControlRequest,
} from "./control-socket.ts";
import type {
  AuditRequest,
  Desk,
  ProjectionsRequest,
  RebuildRequest,
  RebuiltProjection,
  ReconcileRequest,
  SettleRequest,
  SinksRequest,
} from "./desk.ts";
import type { ProjectionReport, RowLine, RowsRequest } from "./projection-reports.ts";
import type { SinkReport } from "./sink-reports.ts";

/** Projections of a data folder that another process has open, asked through its socket. */
export class RemoteDesk implements Desk {
  readonly #data: string;

  constructor(data: string) {
    this.#data = data;
  }

  async reconcile(request: ReconcileRequest, signal?: AbortSignal): Promise<readonly JobReport[]> {
    return (await this.#ask({ command: "reconcile", request }, signal)) as readonly JobReport[];
  }

  async audit(request: AuditRequest): Promise<readonly AuditLine[]> {
    return (await this.#ask({ command: "audit", request })) as readonly AuditLine[];
  }

  async trimmed(): Promise<readonly TrimmedJournal[]> {
    return (await this.#ask({ command: "trimmed", request: {} })) as readonly TrimmedJournal[];
  }

  async rebuild(
    request: RebuildRequest,
    signal?: AbortSignal,
  ): Promise<readonly RebuiltProjection[]> {
    const rebuilt = await this.#ask({ command: "rebuild", request }, signal);
    return rebuilt as readonly RebuiltProjection[];
  }

  async projections(request: ProjectionsRequest): Promise<readonly ProjectionReport[]> {
    return (await this.#ask({ command: "projections", request })) as readonly ProjectionReport[];
  }

  async rows(request: RowsRequest, signal?: AbortSignal): Promise<readonly RowLine[]> {
    return (await this.#ask({ command: "rows", request }, signal)) as readonly RowLine[];
  }

  async sinks(request: SinksRequest): Promise<readonly SinkReport[]> {
    return (await this.#ask({ command: "sinks", request })) as readonly SinkReport[];
  }

  async settleDead(request: SettleRequest, signal?: AbortSignal): Promise<readonly SettledDead[]> {
    return (await this.#ask({ command: "settle-dead", request }, signal)) as readonly SettledDead[];
  }

  /**
   * @throws HeddleError what the other side says; `HEDDLE_STORAGE_LOCKED` when it has the folder and
   * cannot be asked.
   */
  async #ask(request: ControlRequest, signal?: AbortSignal): Promise<unknown> {
    const socket = controlSocketOf(this.#data);
    if (socket === undefined) throw locked("its name is too long for a socket, or this is Windows");
    const line = await this.#exchange(socket, `${JSON.stringify(request)}\n`, signal);
    const answer = JSON.parse(line) as ControlAnswer;
    if ("result" in answer) return answer.result;
    const codes: readonly string[] = Object.values(HeddleErrorCode);
    const { code, message } = answer.error;
    if (code === undefined || !codes.includes(code)) throw new Error(message);
    throw new HeddleError(code as HeddleErrorCode, message);
  }

  #exchange(path: string, line: string, signal?: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      let text = "";
      const onAbort = (): void => void socket.destroy(signal?.reason as Error);
      signal?.addEventListener("abort", onAbort, { once: true });
      socket.setEncoding("utf8");
      socket.on("connect", () => socket.write(line));
      socket.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > answerBytesMax) socket.destroy(new Error("the answer does not end"));
      });
      socket.on("error", (cause: NodeJS.ErrnoException) => {
        const isThere = cause.code !== "ENOENT" && cause.code !== "ECONNREFUSED";
        reject(isThere ? cause : locked("it was not started with --projections FILE", cause));
      });
      socket.on("close", () => {
        signal?.removeEventListener("abort", onAbort);
        if (text.endsWith("\n")) resolve(text);
        else reject(locked("it hung up before it answered"));
      });
    });
  }
}

function locked(why: string, cause?: unknown): HeddleError {
  const message = `another process has the folder, and cannot be asked: ${why}`;
  return new HeddleError(HeddleErrorCode.storageLocked, message, { cause });
}
