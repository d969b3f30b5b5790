import { HeddleError, HeddleErrorCode, limits as formatLimits } from "@heddle/core";
import {
  defaultApplyBudget,
  defaultDocumentBytesMax,
  defaultParkingBounds,
  defaultTrialBytesMax,
  type ReplicaOptions,
} from "@heddle/replica";

const kiB = 1024;
const miB = 1024 * kiB;

/** Every bound of the relay; docs/limits.md says what happens at each. Names say their unit. */
const defaultBounds = {
  // Before there is a connection.
  headerBytesMax: 16 * kiB,
  headersMax: 100,
  /** From the first byte, or the accept, to the complete request. */
  upgradeMsMax: 5_000,
  /** Sockets of the whole process, upgraded or not. */
  connectionsMax: 10_000,
  connectionsPerAddressMax: 50,
  upgradesPerAddressPerSecond: 10,
  upgradesPerAddressBurst: 30,
  /** Requests over HTTP, for pages and of sessions of the heddle wire. */
  requestsPerAddressPerSecond: 200,
  requestsPerAddressBurst: 2_000,
  /** From the first byte of a request with a body to its last. */
  requestMsMax: 20_000,
  /** Sessions of the heddle wire over HTTP, in the process. */
  httpSessionsMax: 1_000,
  /** Such a session without a request under way is given up after so long. */
  httpIdleMs: 15_000,
  /** Silence of a socket that asked for a page, or is being refused. */
  idleSocketMsMax: 30_000,
  /** Addresses remembered at a time. */
  addressesMax: 100_000,

  // What one connection may send.
  /** One WebSocket message. One paste is one message, and stock clients cannot split it. */
  messageBytesMax: 16 * miB,
  /** State vector of a sync step 1; ten bytes a client. */
  vectorBytesMax: 2 * miB,
  /** Chromium sends a large message in many frames: 64 would refuse an honest paste of 10 MiB. */
  fragmentsMax: 4_096,
  /** Reads from the socket for one message: a slow link delivers a kilobyte at a time. */
  chunksMax: 32_768,
  bytesPerSecond: 4 * miB,
  bytesBurst: 32 * miB,
  messagesPerSecond: 500,
  messagesBurst: 5_000,
  /** A sender is slowed down; one who owes more time than this is told to go. */
  rateDebtMsMax: 30_000,
  /** Updates of one connection on their way to disk, above which it is no longer read from. */
  unsavedBytesMax: 4 * miB,
  /** Messages not yet complete, of one connection and of the process. */
  receiveBytesPerConnectionMax: 32 * miB,
  receiveBytesMax: 256 * miB,
  /** A message, or a catch-up, that moves slower than this after `stallMsMax` is given up. */
  bytesPerSecondMin: 32 * kiB,
  stallMsMax: 30_000,

  // What one replica sends on the heddle wire; it speaks for all who are behind it.
  peerBytesPerSecond: 16 * miB,
  peerBytesBurst: 128 * miB,
  peerFramesPerSecond: 2_000,
  peerFramesBurst: 20_000,
  /** Frames that ask for something, of all replicas of one address. */
  peerAsksPerAddressPerSecond: 500,
  peerAsksPerAddressBurst: 20_000,
  /** Documents that are opened and not here. */
  peerDocumentsPerAddressPerHour: 10_000,

  // What waits to be sent.
  /** Above it, live traffic for that connection is dropped, and made up for once it has read. */
  sendBufferBytesMax: 4 * miB,
  /** Above it, presence is dropped. */
  awarenessBufferBytesMax: 1 * miB,
  catchUpBytesPerSecond: 8 * miB,
  catchUpBytesBurst: 128 * miB,
  /** Time that goes into making catch-ups for one address: a small answer can be dear to make. */
  catchUpCpuMsPerSecond: 250,
  catchUpCpuMsBurst: 10_000,
  /** Catch-ups of the process that are not read yet; the one under way for longest is given up. */
  catchUpBytesInFlightMax: 256 * miB,

  // Documents.
  documentsMax: 1_000_000,
  documentsPerAddressPerHour: 100,
  /** In memory at a time. */
  openDocumentsMax: 50_000,
  /** How long one that nobody is in stays there. */
  documentIdleMs: 30_000,
  /** New Yjs clients that one connection may bring, its first sync apart. */
  clientsPerConnectionMax: 64,
  /** Updates that bring more than a few newcomers find no room above it. */
  clientsPerDocumentMax: 10_000,
  /** So many newcomers in one update find room in any document. */
  newcomersPerUpdateMax: 16,
  /** New Yjs clients that one address may bring to one document at once, and what grows back. */
  clientsPerAddressMax: 2_500,
  clientsPerAddressPerHour: 600,
  /** Shares of an address in a document that are remembered while they are not whole. */
  clientSharesMax: 100_000,
  /** Of all its updates, joined where they can be; what nobody can load helps nobody. */
  documentBytesMax: defaultDocumentBytesMax,
  clientsPerDocumentWarning: 2_000,
  /** Updates that wait for earlier ones. */
  parkedUpdatesMax: defaultParkingBounds.updatesMax,
  parkedBytesMax: defaultParkingBounds.bytesMax,
  parkedOldMs: defaultParkingBounds.oldMs,

  // Trials.
  /** Updates that are tried or wait for it, and the documents they are tried on; of the process. */
  trialBytesMax: defaultTrialBytesMax,
  /** CPU time of one trial: for the smallest update, more for each MiB, and at most. */
  trialMsMin: defaultApplyBudget.liveMs,
  trialMsPerMiB: defaultApplyBudget.perKibMs * kiB,
  trialMsMax: defaultApplyBudget.bulkMs,
  /** Of each of the processes that try. */
  trialHeapBytesMax: 512 * miB,

  // Presence.
  awarenessStateBytesMax: 8 * kiB,
  awarenessDepthMax: 32,
  awarenessClientsPerConnectionMax: 8,
  /** One peer, in all documents: it speaks for all who are connected there. */
  awarenessClientsPerPeerMax: 10_000,
  awarenessClientsPerDocumentMax: 4_096,
  awarenessBytesPerDocumentMax: 4 * miB,
  /** Silence of a connection after which another may speak for its clients. */
  awarenessTakeoverMs: 3_000,

  // The process.
  /** Resident memory above which nobody new is let in; 0 takes three quarters of the machine's. */
  memoryBytesMax: 0,
  /** The same for the share of V8's heap that is in use: V8 ends the process at 100. */
  heapPercentMax: 85,
  eventLoopLagMsMax: 1_000,

  // Time.
  /** Refused connections are held this long: old clients reconnect at once whatever the code. */
  refusalDelayMs: 2_000,
  /** Who is told to go for its buffers' sake gets so long to hear why. */
  lastWordsMs: 1_000,
  pingIntervalMs: 30_000,
  /** How long a drain waits for clients to hang up. */
  drainMsMax: 5_000,
};

export type RelayLimit = keyof typeof defaultBounds;

export interface RelayLimits extends Readonly<Record<RelayLimit, number>> {
  /** Bounds of one address, and rates of one stranger, hold for clients on this machine too. */
  readonly limitLoopback: boolean;
}

export const defaultRelayLimits: RelayLimits = { ...defaultBounds, limitLoopback: false };

const units: Readonly<Record<string, number>> = { "": 1, KiB: kiB, MiB: miB, GiB: kiB * miB };

/** These mean something at zero; everywhere else zero would serve nobody. */
const mayBeZero: ReadonlySet<RelayLimit> = new Set([
  "memoryBytesMax",
  "refusalDelayMs",
  "lastWordsMs",
  "documentIdleMs",
  "awarenessTakeoverMs",
  "awarenessClientsPerConnectionMax",
  "newcomersPerUpdateMax",
]);

/**
 * Reads what people write on a command line: `name=value`, with KiB, MiB or GiB behind sizes.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` that names the culprit.
 */
export function parseRelayLimits(texts: readonly string[]): Partial<RelayLimits> {
  const limits: Partial<Record<RelayLimit, number>> = {};
  for (const text of texts) {
    const [, name = "", digits = "", unit = ""] = /^(\w+)=(\d+)(KiB|MiB|GiB)?$/.exec(text) ?? [];
    if (digits === "")
      throw invalid(`--limit ${text}: it is not name=number, as in messagesBurst=100`);
    if (!isRelayLimit(name)) throw invalid(`--limit ${text}: there is no limit of that name`);
    if (unit !== "" && !name.includes("ytes")) throw invalid(`--limit ${text}: ${name} is no size`);
    limits[name] = Number(digits) * units[unit]!;
  }
  assertLimitsMakeSense({ ...defaultRelayLimits, ...limits });
  return limits;
}

/** @throws HeddleError `HEDDLE_CONFIG_INVALID` for limits that would serve nobody. */
export function assertLimitsMakeSense(limits: RelayLimits): void {
  for (const name of Object.keys(defaultBounds) as RelayLimit[]) {
    const value = limits[name];
    if (Number.isFinite(value) && (value > 0 || (value === 0 && mayBeZero.has(name)))) continue;
    throw invalid(`limit ${name}=${value}: it must be a number above zero`);
  }
  if (limits.messageBytesMax > formatLimits.updateBytesMax) {
    const most = formatLimits.updateBytesMax;
    throw invalid(
      `limit messageBytesMax=${limits.messageBytesMax}: an update has at most ${most} bytes`,
    );
  }
  if (limits.trialBytesMax < 4 * limits.messageBytesMax) {
    throw invalid("limit trialBytesMax: it must have room for four whole messages");
  }
  if (limits.trialHeapBytesMax < 32 * miB) {
    throw invalid("limit trialHeapBytesMax: a process needs 32 MiB to begin with");
  }
  if (limits.receiveBytesPerConnectionMax < limits.messageBytesMax) {
    throw invalid("limit receiveBytesPerConnectionMax: it must have room for one whole message");
  }
}

/** The limits that the replica behind the relay keeps. */
export function replicaLimitsOf(
  limits: Partial<RelayLimits>,
): Pick<ReplicaOptions, "applyBudget" | "trialBytesMax" | "documentBytesMax" | "parking"> {
  const bounds = { ...defaultRelayLimits, ...limits };
  const { trialMsMin, trialMsMax, trialMsPerMiB, trialBytesMax, documentBytesMax } = bounds;
  const applyBudget = { liveMs: trialMsMin, bulkMs: trialMsMax, perKibMs: trialMsPerMiB / kiB };
  const parking = {
    updatesMax: bounds.parkedUpdatesMax,
    bytesMax: bounds.parkedBytesMax,
    oldMs: bounds.parkedOldMs,
  };
  return { applyBudget, trialBytesMax, documentBytesMax, parking };
}

function isRelayLimit(name: string): name is RelayLimit {
  return Object.hasOwn(defaultBounds, name);
}

function invalid(message: string): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, message);
}
