/**
 * What the WebSocket transport uses of a socket: the browser's fits, and `ws` in Node, of which it also
 * uses what browsers do not offer.
 */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly protocol: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  /** `ws` only: the answer to an upgrade that was refused. */
  on?(event: "unexpected-response", listener: UnexpectedResponseListener): unknown;
  /** `ws` only: stops reading from the network. */
  pause?(): void;
  resume?(): void;
  /** `ws` only: cuts off. */
  terminate?(): void;
}

export type UnexpectedResponseListener = (
  request: unknown,
  response: { readonly statusCode?: number | undefined },
) => void;

/** The platform's `WebSocket`, or that of `ws`. */
export type WebSocketConstructor = new (
  url: string,
  protocols: string[],
  options?: WebSocketExtras,
) => WebSocketLike;

/** Understood by `ws`; browsers look at two arguments only. */
export interface WebSocketExtras {
  readonly maxPayload: number;
  readonly perMessageDeflate: false;
}
