import type { HeddleErrorCode } from "@heddle/core";

/**
 * Reaches one peer, in one way. Whoever wants a connection again dials again; transports never do so
 * by themselves (`nextRetryState` decides when).
 *
 * Deadlines come from the `Scheduler` port. What an acceptor takes is a {@link Connection} like what
 * a dial gives: whoever hosts the protocol cannot tell them apart.
 */
export interface Transport {
  /** For log lines and labels: `websocket`, `http`, `broadcast-channel`. */
  readonly name: string;
  /**
   * Resolves with an open connection. Afterwards `signal` has no say: the connection is closed by its
   * own `close`.
   *
   * @throws HeddleError `HEDDLE_SESSION_REFUSED` or `HEDDLE_PROTOCOL_VERSION` when the peer said so:
   * trying again changes nothing; `HEDDLE_SESSION_TIMEOUT` at the transport's own deadline;
   * `HEDDLE_RELAY_OVERLOADED` when the peer has no room now; `HEDDLE_SESSION_CLOSED` for everything
   * else, an aborted dial (with the signal's reason as `cause`) included.
   */
  dial(signal: AbortSignalLike): Promise<Connection>;
}

/**
 * Carries whole messages of 1 to `wireLimits.frameBytesMax` bytes to one peer and back. That they
 * arrive, once and in order, is not promised here: what a transport keeps of that makes the protocol
 * quicker, and its absence makes nothing wrong.
 *
 *   open ──close()──► closing ──peer agreed, or deadline──► closed
 *     └──────────peer closed, transport died, fault─────────────┘
 *
 * `closed` is final and is told once, as the last event.
 *
 * **Who owns the bytes.** `send` takes the array over: nobody writes to it any more, but it may be sent
 * to others too. A message belongs to whoever it is handed to, as an array of its own.
 */
export interface Connection {
  /** Bytes that were sent here and that the peer's side is not known to have taken. */
  readonly bufferedBytes: number;
  /** True from a full buffer to `onDrain`: sending more is allowed, up to a bound, and unwise. */
  readonly isCongested: boolean;
  readonly counters: Readonly<ConnectionCounters>;
  /** Called once. What came before waits. */
  listen(handlers: ConnectionHandlers): void;
  /**
   * Without effect, but for a count, on a connection that is closing or closed. A buffer that is full
   * beyond its bound closes the connection with `HEDDLE_RELAY_OVERLOADED`.
   *
   * @throws HeddleError `HEDDLE_FRAME_TOO_LARGE` for more than `wireLimits.frameBytesMax` bytes.
   */
  send(bytes: Uint8Array): void;
  /**
   * Hands out no message until `resume`. The peer is slowed down where the transport can do that; what
   * arrives all the same is kept up to a bound, beyond which the connection is closed. A paused
   * connection may learn only when it resumes that it has ended.
   */
  pause(): void;
  resume(): void;
  /** Sends what is buffered, tells the peer, and lets go; by force after a short deadline. */
  close(code: HeddleErrorCode, reason?: string): void;
}

export interface ConnectionHandlers {
  onMessage(bytes: Uint8Array): void;
  /** The buffer was full, and is nearly empty again. */
  onDrain(): void;
  /** Nothing follows it. Also told to the side that closed. */
  onClosed(end: ConnectionEnd): void;
}

export interface ConnectionEnd {
  readonly code: HeddleErrorCode;
  /** As on a WebSocket; `isPermanentBye` reads it. */
  readonly closeCode: number;
  /** For people and log lines; may be empty. */
  readonly reason: string;
  /** One side said goodbye and the other heard it. False: the transport died, or nobody answered. */
  readonly wasPolite: boolean;
}

export interface ConnectionCounters {
  framesSent: number;
  bytesSent: number;
  framesReceived: number;
  bytesReceived: number;
  /** Sent or received after the end, and so for nobody. */
  framesDropped: number;
}

export function newConnectionCounters(): ConnectionCounters {
  return { framesSent: 0, bytesSent: 0, framesReceived: 0, bytesReceived: 0, framesDropped: 0 };
}

/** The part of the platform's `AbortSignal` that a dial needs; a real one fits. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Bounds of one connection, in bytes and milliseconds. A frame's size is in `wireLimits`. */
export const transportLimits = {
  /** A sender should wait from here on, until the buffer is down to the second. */
  congestedBytes: 1024 * 1024,
  drainedBytes: 256 * 1024,
  /** What may wait to be sent: a peer gives a credit of a quarter of it, the rest is small frames. */
  sendBufferBytesMax: 4 * 1024 * 1024,
  /** What may have arrived and wait for a host that has paused. */
  heldBytesMax: 4 * 1024 * 1024,
  dialMsMax: 10_000,
  /** From `close` until the transport is cut off. */
  closeMsMax: 2_000,
  /** How often a full buffer is looked at, where the platform does not tell. */
  drainPollMs: 50,
} as const;

export type TransportLimits = { readonly [Name in keyof typeof transportLimits]: number };
