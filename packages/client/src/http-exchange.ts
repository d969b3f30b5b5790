import {
  concatBytes,
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  type Scheduler,
} from "@heddle/core/base";
import { httpWire } from "@heddle/sync/connection";

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchAnswer>;

/** The part of `RequestInit` that is used. */
export interface FetchInit {
  readonly method: "GET" | "POST";
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
  readonly signal: AbortSignal;
  readonly cache: "no-store";
  readonly credentials: "omit";
  readonly redirect: "error";
}

/** The part of a `Response` that is used. */
export interface FetchAnswer {
  readonly status: number;
  readonly body: ReadableStream<Uint8Array> | null;
}

export interface ExchangeRequest {
  readonly path: string;
  readonly method?: "GET" | "POST";
  readonly body?: Uint8Array<ArrayBuffer> | string;
  readonly msMax: number;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

export interface HttpExchangeOptions {
  /** Ends with `/`. */
  readonly base: string;
  readonly fetch: Fetch;
  readonly scheduler: Scheduler;
  readonly token?: string | undefined;
}

/** Requests to one acceptor, each with a deadline, all of which can be ended at once. */
export class HttpExchange {
  readonly #options: HttpExchangeOptions;
  readonly #running = new Set<AbortController>();

  constructor(options: HttpExchangeOptions) {
    this.#options = options;
  }

  /**
   * @throws HeddleError `HEDDLE_SESSION_TIMEOUT` at the deadline, `HEDDLE_SESSION_CLOSED` when there
   * was no answer, `HEDDLE_FRAME_MALFORMED` for one that is larger than any may be.
   */
  async request({ path, method = "POST", body, msMax }: ExchangeRequest): Promise<ExchangeAnswer> {
    const { base, fetch, scheduler, token } = this.#options;
    const controller = new AbortController();
    let isLate = false;
    const cancel = scheduler.after(msMax, () => {
      isLate = true;
      controller.abort();
    });
    this.#running.add(controller);
    try {
      const answer = await fetch(base + path, {
        method,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        ...(body !== undefined && { body }),
        signal: controller.signal,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
      });
      return { status: answer.status, body: await readBody(answer) };
    } catch (cause) {
      if (isHeddleError(cause)) {
        controller.abort();
        throw cause;
      }
      const code = isLate ? HeddleErrorCode.sessionTimeout : HeddleErrorCode.sessionClosed;
      const message = isLate ? `no answer within ${msMax} ms` : "no answer";
      throw new HeddleError(code, message, { cause });
    } finally {
      cancel();
      this.#running.delete(controller);
    }
  }

  abortAll(): void {
    for (const controller of this.#running) controller.abort();
  }
}

/** Whoever answers is not trusted to say how much that will be. */
async function readBody({ body }: FetchAnswer): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const reader = body?.getReader();
  for (;;) {
    const { value, done } = (await reader?.read()) ?? { done: true };
    if (done || value === undefined) return concatBytes(parts);
    bytes += value.length;
    if (bytes > httpWire.batchBytesMax) {
      const message = `an answer has more than ${httpWire.batchBytesMax} bytes`;
      throw new HeddleError(HeddleErrorCode.frameMalformed, message);
    }
    parts.push(value);
  }
}
