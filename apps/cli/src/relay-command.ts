import { randomBytes } from "node:crypto";
import path from "node:path";

import type { DocumentHistory, DocumentId, Environment } from "@heddle/core";
import {
  defaultRelayLimits,
  parseRelayLimits,
  Relay,
  replicaLimitsOf,
  type ObservedPeers,
  type ObservedRelay,
  type RelayLimits,
} from "@heddle/relay";
import type { AdminServer } from "@heddle/relay/admin";
import {
  DriftWatch,
  PeerHost,
  PeerSet,
  Replica,
  spaceGroundOf,
  type PeerGround,
  type PeerTarget,
  type ApplyJudge,
  type StateFolder,
} from "@heddle/replica";
import {
  deviceKeyFileIn,
  FoldProcess,
  nodeEnvironment,
  nodeVerifier,
  openDeviceKey,
  ProcessJudge,
  readSpaceFile,
} from "@heddle/replica/node";
import type { Lan } from "@heddle/lan";
import { PeerRole } from "@heddle/sync";
import {
  openLevelStore,
  StoreScrub,
  type Finding,
  type LevelLogStore,
} from "@heddle/storage-level";

import { CalmCollector } from "./calm-collector.ts";
import { collectGarbage, processReader } from "./collect-garbage.ts";
import type { CommandIo } from "./command-io.ts";
import { deviceKeyName } from "./device-key-name.ts";
import { peerTargets } from "./peer-targets.ts";
import { openLogger, type LogLevel } from "./logger.ts";
import type { RelayProjections } from "./projections/relay-projections.ts";
import { version } from "./version.ts";

export interface RelayCommandOptions {
  readonly host: string;
  readonly port: number;
  readonly data: string;
  /** Of documents that are new; what is there keeps what was decided for it. */
  readonly history: DocumentHistory;
  readonly app?: string;
  readonly token?: string;
  readonly allowOrigin?: string[];
  readonly open?: boolean;
  /** Relays to keep a connection to. */
  readonly peer?: string[];
  /** Also keep in agreement with paired devices on the local network. */
  readonly lan?: boolean;
  /** `name=value`, as {@link parseRelayLimits} reads them. */
  readonly limit?: string[];
  readonly limitLoopback?: boolean;
  readonly trustProxy?: boolean;
  /** Without it there is no admin port. */
  readonly adminPort?: number;
  readonly adminHost: string;
  readonly adminToken?: string;
  /** How long to be "not ready" before the drain, for load balancers to notice. */
  readonly drainDelay: number;
  readonly logLevel: LogLevel;
  /** Free bytes below which nothing new is accepted; 0 for no such bound. */
  readonly diskLow: number;
  /** Between two scrubs; 0 for none. */
  readonly scrubHours: number;
  readonly scrubRate: number;
  readonly json?: boolean;
  /** Module with what is derived from the documents. */
  readonly projections?: string;
  readonly reconcile: string;
  readonly reconcileHours?: string;
  readonly reconcileZone?: string;
  readonly reconcileThorough: string;
  /** Between two looks at everything; 0 for no other ones. */
  readonly reconcileWholeHours: number;
  /** Of the event loop's time, and reads in a second, that comparing may take. */
  readonly reconcileShare: number;
  readonly reconcileReads: number;
}

/** Runs a relay until `stop` fires, then drains it. Resolves with the exit status. */
export async function relayCommand(
  options: RelayCommandOptions,
  io: CommandIo,
  stop: AbortSignal,
): Promise<number> {
  // A slip in a flag is found before anything is touched.
  const limits = parseRelayLimits(options.limit ?? []);
  const environment = environmentOf(options, io);
  const targets = peerTargets(options.peer ?? [], environment);
  const derived = await readProjections(options);
  // First up and last down: a recovery that takes minutes and a drain can both be watched.
  const admin = await startAdmin(options, environment);
  try {
    const store = await openStore(options, environment);
    let drift: DriftWatch | undefined;
    const scrub = newScrub(options, { store, environment }, ({ document }) => {
      if (document) drift?.suspect(document);
    });
    const { trialHeapBytesMax } = { ...defaultRelayLimits, ...limits };
    const judge = new ProcessJudge({ heapMb: trialHeapBytesMax / 2 ** 20 });
    const folder = new FoldProcess();
    let collector: CalmCollector | undefined;
    let projections: RelayProjections | undefined;
    try {
      const grounds = { store, scrub, environment, admin, limits, judge, folder, targets };
      const running = await startRelay(options, grounds);
      drift = running.drift;
      const neighbours = await newLan(options);
      // As documents are read: without what does not count in a space.
      const { access, store: log } = running.replica;
      projections = await derived?.start({ log, environment, access });
      const reconciliation = projections?.desk.reconciler?.figures;
      const { host, sinkHost, journal } = projections?.desk ?? {};
      const derivedFigures = { projections: host, journal, sinks: sinkHost?.sinks };
      const observed = { ...running, ...derivedFigures, scrub, lan: neighbours, reconciliation };
      collector = newCollector(environment, observed);
      // A document that does not prove itself is seldom the only damage.
      for (const document of observed.replica.recovery.documentsDamaged) {
        scrub.met(damageOfDocument(document, "its log does not prove itself"));
      }
      admin?.watch(observed);
      scrub.start();
      announce(options, io, { ...observed, admin });
      await store.openingTold();
      running.peers.set.start();
      running.drift.start();
      const space = spaceGroundOf(running.replica);
      const ground = groundOf(options, { host: running.peers.host, environment, space });
      const joined = await neighbours?.start(ground);
      await aborted(stop);
      running.peers.set.stop();
      await joined?.stop();
      await running.drift.stop();
      await drain(options, io, { ...observed, admin });
    } finally {
      collector?.stop();
      await drift?.stop();
      await projections?.close();
      await judge.close();
      await scrub.close();
      await folder.close();
      await store.close();
    }
  } finally {
    await admin?.close();
  }
  if (options.json) io.out(JSON.stringify({ event: "relay.stopped" }));
  return 0;
}

/** What it is made of is loaded for those only who have projections. */
async function readProjections(options: RelayCommandOptions): Promise<
  | {
      start(parts: Parameters<typeof RelayProjections.start>[1]): Promise<RelayProjections>;
    }
  | undefined
> {
  const { projections: file, data } = options;
  if (file === undefined) return undefined;
  const { RelayProjections, backgroundJobOf, reconcilePlanOf, thoroughPlanOf } =
    await import("./projections/relay-projections.ts");
  const { loadProjections } = await import("./projections/load-projections.ts");
  const plan = reconcilePlanOf(options);
  const thoroughPlan = thoroughPlanOf(options);
  const loaded = await loadProjections(file);
  const plans = { plan, thoroughPlan, job: backgroundJobOf(options) };
  return { start: (parts) => RelayProjections.start({ data, ...plans, loaded }, parts) };
}

/** Paired devices are peers like others; who they are, is what `heddle pair` wrote into the data folder. */
async function newLan({ lan: isWanted = false }: RelayCommandOptions): Promise<Lan | undefined> {
  if (!isWanted) return undefined;
  const { lan } = await import("@heddle/lan");
  return lan();
}

function groundOf(
  { data }: RelayCommandOptions,
  parts: Pick<PeerGround, "host" | "environment" | "space">,
): PeerGround {
  const places = { directory: path.resolve(data), deviceKeyFile: deviceKeyFileIn(data) };
  return { ...parts, ...places, onChange: () => undefined };
}

interface Parts extends ObservedRelay {
  readonly admin: AdminServer | undefined;
}

interface PeeredRelay extends ObservedRelay {
  readonly peers: ObservedPeers;
  readonly drift: DriftWatch;
}

function openStore(
  { data, diskLow }: RelayCommandOptions,
  environment: Environment,
): Promise<LevelLogStore> {
  const space = diskLow > 0 ? { lowBytes: diskLow, reserveBytes: diskLow / 4 } : undefined;
  return openLevelStore(path.resolve(data), { environment, ...(space && { space }) });
}

function newScrub(
  { data, scrubHours, scrubRate }: RelayCommandOptions,
  parts: { readonly store: LevelLogStore; readonly environment: Environment },
  onFound: (finding: Finding) => void,
): StoreScrub {
  const intervalMs = hoursMs(scrubHours);
  const bytesPerSecond = scrubRate;
  return new StoreScrub({ ...parts, folder: data, intervalMs, bytesPerSecond, onFound });
}

function hoursMs(hours: number): number {
  return hours * 60 * 60 * 1000;
}

/** This process is ours: an application that embeds a relay keeps its collector to itself. */
function newCollector(
  { clock, scheduler, logger }: Environment,
  { replica }: ObservedRelay,
): CalmCollector {
  const readProcess = processReader();
  const read = () => ({ ...readProcess(), documents: replica.openDocuments });
  return new CalmCollector({ clock, scheduler, logger, read, collect: collectGarbage });
}

function environmentOf({ logLevel }: RelayCommandOptions, io: CommandIo): Environment {
  const run = randomBytes(4).toString("hex");
  return nodeEnvironment(openLogger(io, { level: logLevel, run }));
}

async function startAdmin(
  { adminHost, adminPort, adminToken }: RelayCommandOptions,
  environment: Environment,
): Promise<AdminServer | undefined> {
  if (adminPort === undefined) return undefined;
  // What it is made of takes 5 MB, and most relays have none.
  const admin = await import("@heddle/relay/admin");
  return admin.AdminServer.start({
    environment,
    host: adminHost,
    port: adminPort,
    token: adminToken,
  });
}

/** Not ready first, so that nobody new is sent here; then everything received goes to the disk. */
async function drain(
  { drainDelay, json }: RelayCommandOptions,
  io: CommandIo,
  { relay, admin }: Parts,
): Promise<void> {
  admin?.startDraining();
  if (!json) io.err("stopping: waiting for the disk, telling clients to come back");
  if (drainDelay > 0) await new Promise((resolve) => setTimeout(resolve, drainDelay));
  await relay.drain();
}

interface Ground extends Pick<Parts, "admin"> {
  readonly store: LevelLogStore;
  readonly scrub: StoreScrub;
  readonly judge: ApplyJudge;
  readonly folder: StateFolder;
  readonly environment: Environment;
  readonly limits: Partial<RelayLimits>;
  readonly targets: readonly PeerTarget[];
}

async function startRelay(
  options: RelayCommandOptions,
  { store, scrub, environment, admin, limits, judge, folder, targets }: Ground,
): Promise<PeeredRelay> {
  const signer = await openDeviceKey(path.join(path.resolve(options.data), deviceKeyName));
  const engine = `heddle/${version}`;
  const telemetry = admin?.telemetry;
  const idleMs = limits.documentIdleMs ?? defaultRelayLimits.documentIdleMs;
  const { history } = options;
  const ports = { store, environment, signer, telemetry, judge, folder };
  const genesis = await readSpaceFile(options.data);
  const parts = { ...ports, engine, idleMs, history, genesis, verifier: nodeVerifier };
  const onDamage = (document: DocumentId, error: Error): void => {
    scrub.met(damageOfDocument(document, error.message));
  };
  const replica = await Replica.open({ ...parts, ...replicaLimitsOf(limits), onDamage });
  // Of documents that nobody has open the scrub reads the records, in a process of its own.
  const auditIntervalMs = hoursMs(options.scrubHours);
  const times = { auditIntervalMs, auditsRecords: auditIntervalMs <= 0 };
  // As documents are read: without what does not count in a space.
  const read = { ...parts, store: replica.store };
  const drift = new DriftWatch({ ...read, replica, times });
  const { store: readStore, verifier } = read;
  const hosting = { drift, replica, store: readStore, environment, signer, verifier, engine };
  const host = await PeerHost.open({
    ...hosting,
    role: PeerRole.relay,
    adopt: true,
    follow: true,
    hasOutbox: false,
  });
  const set = new PeerSet({ host, environment, targets });
  const relay = await Relay.start({
    replica,
    peers: host,
    environment,
    host: options.host,
    port: options.port,
    appDirectory: options.app && path.resolve(options.app),
    access: {
      token: options.token,
      allowOrigins: options.allowOrigin ?? [],
      open: options.open ?? false,
    },
    trustProxy: options.trustProxy ?? false,
    limits: { ...limits, limitLoopback: options.limitLoopback ?? false },
  });
  // Noted only now: a start that fails would have told nobody.
  const deviceChanged = await store.noteDevice(signer.devicePublicKey);
  return { relay, replica, store, peers: { host, set }, drift, deviceChanged };
}

function damageOfDocument(document: DocumentId, what: string): Finding {
  return { severity: "damage", part: "document", what, document };
}

function announce(
  options: RelayCommandOptions,
  io: CommandIo,
  { relay, replica, admin, peers }: Parts,
): void {
  const { url } = relay;
  const targets = [...(peers?.set.states.keys() ?? [])];
  const { documentsRead, documentsRecovered, documentsDamaged, tookMs } = replica.recovery;
  if (options.json) {
    const event = { event: "relay.listening", url, adminUrl: admin?.url, peers: targets };
    io.out(JSON.stringify({ ...event, recovery: replica.recovery }));
    return;
  }
  const webSocketUrl = url.replace("http", "ws");
  io.out(`heddle ${version} keeps its data in ${path.resolve(options.data)}`);
  if (documentsRecovered + documentsDamaged.length > 0) {
    io.out(
      `  recovered ${documentsRecovered} of ${documentsRead} documents in ${Math.round(tookMs)} ms` +
        (documentsDamaged.length > 0 ? `; ${documentsDamaged.length} are damaged` : ""),
    );
  }
  if (options.app) io.out(`  open in two windows   ${url}`);
  io.out(
    `  y-websocket clients   new WebsocketProvider("${webSocketUrl}", "<document name>", ydoc)`,
  );
  for (const target of targets) io.out(`  peers with            ${target}`);
  if (admin) io.out(`  health and metrics    ${admin.url}/readyz  ${admin.url}/metrics`);
  io.out("  stop with Ctrl-C");
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
