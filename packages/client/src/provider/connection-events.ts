import type { HeddleError } from "@heddle/core";

/** In the shape of a browser's `CloseEvent`, which Node before 23 does not have. */
export class ClosedEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;

  constructor(code: number, reason: string, wasClean: boolean) {
    super("close");
    this.code = code;
    this.reason = reason;
    this.wasClean = wasClean;
  }
}

/** Like the event of a WebSocket that failed; with what is known of why. */
export class FailedEvent extends Event {
  readonly error: HeddleError;

  constructor(error: HeddleError) {
    super("error");
    this.error = error;
  }

  get message(): string {
    return this.error.message;
  }
}

/** Codes from 4400 to 4499 are for good; y-websocket's own rule. */
export function isTransient({ code }: Pick<ClosedEvent, "code">): boolean {
  return !(code >= 4400 && code < 4500);
}
