import { HeddleError, HeddleErrorCode, parseDocumentName } from "@heddle/core";

export interface ReplayOptions {
  /** `ws://` or `wss://`; a query goes to the relay with every connection. */
  readonly url: string;
  readonly source: TraceSource | SyntheticSource;
  readonly clients: number;
  /** Must be new to the relay. Default: a name that nobody used. */
  readonly documentName?: string;
  /** Transactions that a client may have typed and some other client not seen yet. */
  readonly window?: number;
  /** An agent with several clients moves to the next one after so many transactions. */
  readonly runLength?: number;
  readonly idleTimeoutMs?: number;
  /** Says nothing while it runs, unless a person watches. */
  readonly quiet?: boolean;
}

export interface TraceSource {
  readonly kind: "trace";
  readonly path: string;
}

export interface SyntheticSource {
  readonly kind: "synthetic";
  readonly seed: string;
  readonly edits: number;
}

/** As commander parses them; nothing is checked yet. */
export interface ReplayArguments {
  readonly trace?: string;
  readonly url?: string;
  readonly clients?: string;
  readonly synthetic?: string;
  readonly edits?: string;
  readonly doc?: string;
  readonly window?: string;
  readonly run?: string;
  readonly idleTimeout?: string;
  readonly json?: boolean;
}

export const replayDefaults = {
  clients: 2,
  edits: 10_000,
  /** Keeps a relay busy over loopback; a person is never this far ahead. */
  window: 64,
  runLength: 500,
  idleTimeoutMs: 60_000,
} as const;

/** For commander: every flag with its one-line description. `--json` is the program's own. */
export const replayFlags: readonly (readonly [flags: string, description: string])[] = [
  ["--url <url>", "relay to replay through, ws://host:port"],
  ["--clients <n>", `stock y-websocket clients (default ${replayDefaults.clients})`],
  ["--synthetic <seed>", "instead of a trace: people modelled from this seed"],
  ["--edits <n>", `with --synthetic: edits of all people (default ${replayDefaults.edits})`],
  ["--doc <name>", "document name, new to the relay (default: unique)"],
  [
    "--window <k>",
    `transactions a client may be ahead of the slowest other (default ${replayDefaults.window})`,
  ],
  [
    "--run <n>",
    `more clients than agents: hand over after n transactions (default ${replayDefaults.runLength})`,
  ],
  [
    "--idle-timeout <seconds>",
    `give up after this long without progress (default ${replayDefaults.idleTimeoutMs / 1000})`,
  ],
];

/** @throws HeddleError `HEDDLE_CONFIG_INVALID`, which names the flag. */
export function parseReplayArguments(given: ReplayArguments): ReplayOptions {
  return {
    url: relayUrl(given.url),
    source: source(given),
    clients: wholeNumber("--clients", given.clients, replayDefaults.clients, 256),
    window: wholeNumber("--window", given.window, replayDefaults.window, 1_000_000),
    runLength: wholeNumber("--run", given.run, replayDefaults.runLength, 1_000_000),
    idleTimeoutMs:
      1000 *
      wholeNumber("--idle-timeout", given.idleTimeout, replayDefaults.idleTimeoutMs / 1000, 86_400),
    quiet: given.json === true,
    ...(given.doc === undefined ? {} : { documentName: documentName(given.doc) }),
  };
}

function source({ trace, synthetic, edits }: ReplayArguments): ReplayOptions["source"] {
  if ((trace === undefined) === (synthetic === undefined)) {
    throw wrongUsage("give either a trace file or --synthetic <seed>");
  }
  if (synthetic !== undefined) {
    const count = wholeNumber("--edits", edits, replayDefaults.edits, 10_000_000);
    return { kind: "synthetic", seed: synthetic, edits: count };
  }
  if (edits !== undefined) throw wrongUsage("--edits needs --synthetic");
  return { kind: "trace", path: trace! };
}

function relayUrl(url: string | undefined): string {
  if (url === undefined) throw wrongUsage("--url is needed, like ws://localhost:1234");
  if (!URL.canParse(url) || !/^wss?:$/.test(new URL(url).protocol)) {
    throw wrongUsage(`--url is not a ws:// or wss:// address: ${url}`);
  }
  return url;
}

function documentName(text: string): string {
  try {
    // The provider puts the name into the address as it is; these would end the path.
    if (/[?#]/.test(text)) throw wrongUsage("a name with ? or # cannot be an address");
    return parseDocumentName(text);
  } catch (cause) {
    throw wrongUsage(`--doc: ${(cause as Error).message}`, cause);
  }
}

function wholeNumber(
  flag: string,
  text: string | undefined,
  fallback: number,
  most: number,
): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > most) {
    throw wrongUsage(`${flag} is not a whole number from 1 to ${most}: ${text}`);
  }
  return value;
}

function wrongUsage(message: string, cause?: unknown): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, message, { cause });
}
