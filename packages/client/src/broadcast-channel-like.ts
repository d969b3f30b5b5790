/** What is used of the platform's `BroadcastChannel`, in browsers and in Node. */
export interface BroadcastChannelLike {
  onmessage: ((event: never) => void) | null;
  onmessageerror: ((event: never) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** The platform's `BroadcastChannel`, or one of its shape. */
export type BroadcastChannelConstructor = new (name: string) => BroadcastChannelLike;

/** On the channel that everybody knows. */
export type PairingMessage =
  /** Somebody looks for an acceptor. */
  | { readonly heddle: 1; readonly kind: "dial"; readonly from: string }
  /** An acceptor listens on the channel of this pair. */
  | { readonly heddle: 1; readonly kind: "offer"; readonly from: string; readonly to: string };

/** On the channel of two ends. `taken`: bytes of the other side's messages that were handed out. */
export type PairMessage =
  /** The dialer took this offer. */
  | { readonly kind: "open" }
  /** `number` counts messages from 0. */
  | {
      readonly kind: "data";
      readonly number: number;
      readonly bytes: Uint8Array;
      readonly taken: number;
    }
  | { readonly kind: "alive"; readonly taken: number; readonly isQuestion: boolean }
  | { readonly kind: "bye"; readonly closeCode: number; readonly text: string }
  /** The goodbye was heard. */
  | { readonly kind: "gone" };

/** Of a message that another version, or something else under the same name, may have posted. */
export function readPairingMessage(data: unknown): PairingMessage | undefined {
  const message = data as Partial<PairingMessage & { readonly kind: "offer" }> | null;
  if (typeof message !== "object" || message?.heddle !== 1) return undefined;
  const { kind, from, to } = message as { kind?: unknown; from?: unknown; to?: unknown };
  if (!isName(from)) return undefined;
  if (kind === "dial") return { heddle: 1, kind, from };
  if (kind === "offer" && isName(to)) return { heddle: 1, kind, from, to };
  return undefined;
}

export function readPairMessage(data: unknown): PairMessage | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { kind, number, bytes, taken, isQuestion, closeCode, text } = data as Record<
    string,
    unknown
  >;
  switch (kind) {
    case "open":
    case "gone":
      return { kind };
    case "data":
      if (!isCount(number) || !isCount(taken) || !(bytes instanceof Uint8Array)) return undefined;
      return { kind, number, bytes, taken };
    case "alive":
      return isCount(taken) ? { kind, taken, isQuestion: isQuestion === true } : undefined;
    case "bye":
      if (!isCount(closeCode) || typeof text !== "string") return undefined;
      return { kind, closeCode, text };
    default:
      return undefined;
  }
}

export function pairName(name: string, dialer: string, acceptor: string): string {
  return `${name}/${dialer}/${acceptor}`;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{32}$/.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
