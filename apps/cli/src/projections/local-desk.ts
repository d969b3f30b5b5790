import os from "node:os";

import { HeddleError, HeddleErrorCode, type Environment, type LogStore } from "@heddle/core";
import type { JobOptions, JobReport, ProjectionStore } from "@heddle/reconcile";
import {
  LogSource,
  ProjectionHost,
  SinkHost,
  type DocumentAccess,
  type SettledDead,
} from "@heddle/replica";
import { JournalKeeper, Reconciler, type RunPlan } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import type { Doc } from "yjs";

import { readAuditLines, readTrimmed, type AuditLine, type TrimmedJournal } from "./audit-lines.ts";
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
import type { LoadedProjections } from "./load-projections.ts";
import {
  readRowLines,
  reportProjections,
  type ProjectionReport,
  type RowLine,
  type RowsRequest,
} from "./projection-reports.ts";
import { settleDead } from "./settle-request.ts";
import { reportSinks, type SinkReport } from "./sink-reports.ts";

/** Of jobs beside people who are served: how often they look at everything, and what they may take. */
export type BackgroundJob = Pick<JobOptions, "wholeLookMs" | "pace">;

export interface LocalDeskOptions {
  /** Data folder. */
  readonly data: string;
  /** The open log in it, as documents are read from it: without what does not count in a space. */
  readonly log: LogStore;
  readonly environment: Environment;
  /** Without any, only the journals can be asked for. */
  readonly loaded?: LoadedProjections | undefined;
  /** Of the replica that prunes this log, when there is one. */
  readonly access?: DocumentAccess | undefined;
  /** When jobs run by themselves; without one they run when they are asked for. */
  readonly plan?: RunPlan | undefined;
  /** When those run that make every document anew. */
  readonly thoroughPlan?: RunPlan | undefined;
  readonly job?: BackgroundJob | undefined;
  /** Of the time that following the feed may take; all of it without. */
  readonly shareMax?: number;
  /** Sinks hand changes to the outside and the journal is kept within its bounds: not for a command that looks. */
  readonly isServing?: boolean;
}

/** Turns in a row that may fail before whoever asks is told. */
const failuresMax = 3;

/** As fast as it goes: for a folder that nobody else is served from. */
const unhurried = { readsPerSecond: 1e9, loopShare: 1 };

/** Projections of a data folder that this process has open: followed, reconciled, asked about. */
export class LocalDesk implements Desk, AsyncDisposable {
  readonly host: ProjectionHost<Doc> | undefined;
  readonly reconciler: Reconciler<Doc> | undefined;
  readonly sinkHost: SinkHost | undefined;
  readonly journal: JournalKeeper;
  readonly #options: LocalDeskOptions;
  readonly #store: ProjectionStore;

  private constructor(options: LocalDeskOptions, store: ProjectionStore) {
    this.#options = options;
    this.#store = store;
    this.journal = new JournalKeeper({ store, environment: options.environment });
    const { environment, log, loaded, access, plan, thoroughPlan, shareMax = 1 } = options;
    if (loaded === undefined) return;
    const { projections, onCorrection, sinks } = loaded;
    const newSource = (): LogSource => new LogSource({ store: log, environment, access });
    this.sinkHost = new SinkHost({ store, newSource, environment, sinks });
    const source = newSource();
    this.host = new ProjectionHost({ store, source, environment, projections, shareMax });
    const holder = `${os.hostname()}:${process.pid}`;
    const job = { ...options.job, ...(onCorrection && { onCorrection }) };
    this.reconciler = new Reconciler({
      store,
      source,
      environment,
      projections,
      holder,
      plan,
      thoroughPlan,
      job,
    });
  }

  /** @throws HeddleError `HEDDLE_STORAGE_*`, `HEDDLE_CONFIG_INVALID`. */
  static async open(options: LocalDeskOptions): Promise<LocalDesk> {
    const { data, environment } = options;
    const store = await levelStore(data).openProjections(environment);
    try {
      return new LocalDesk(options, store);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Follows the feed from here on, and runs jobs by the plan. */
  start(): void {
    this.host?.start();
    this.reconciler?.start();
    if (!this.#options.isServing) return;
    this.sinkHost?.start();
    this.journal.start();
  }

  async reconcile(request: ReconcileRequest, signal?: AbortSignal): Promise<readonly JobReport[]> {
    const { reconciler } = this;
    if (reconciler === undefined) throw noProjections();
    const names = this.#namesOf(request.projection);
    await this.#whenCaughtUp(names, signal);
    const reports: JobReport[] = [];
    for (const name of names) {
      signal?.throwIfAborted();
      reports.push(await reconciler.run(name, jobOptionsOf(request), signal));
    }
    return reports;
  }

  audit(request: AuditRequest): Promise<readonly AuditLine[]> {
    const { log } = this.#options;
    return readAuditLines({ log, projections: this.#store }, request);
  }

  trimmed(): Promise<readonly TrimmedJournal[]> {
    const { log } = this.#options;
    return readTrimmed({ log, projections: this.#store });
  }

  async rebuild(
    { projection }: RebuildRequest,
    signal?: AbortSignal,
  ): Promise<readonly RebuiltProjection[]> {
    const { host } = this;
    if (host === undefined) throw noProjections();
    const names = this.#namesOf(projection);
    for (const name of names) host.rebuild(name);
    await this.#whenCaughtUp(names, signal);
    return names.map((name) => ({ name, generation: host.target(name)?.generation.number }));
  }

  projections(request: ProjectionsRequest): Promise<readonly ProjectionReport[]> {
    const statuses = this.host?.statuses ?? [];
    return reportProjections({ store: this.#store, statuses }, request);
  }

  async rows(request: RowsRequest, signal?: AbortSignal): Promise<readonly RowLine[]> {
    // A relay follows all the time; a command that has the folder to itself has just begun.
    const isKnown = this.#options.loaded?.projections.some(
      ({ name }) => name === request.projection,
    );
    if (!this.#options.isServing && isKnown) await this.#whenCaughtUp([request.projection], signal);
    return await readRowLines(this.#store, request);
  }

  sinks(request: SinksRequest): Promise<readonly SinkReport[]> {
    const { environment } = this.#options;
    const sinks = this.sinkHost?.sinks ?? new Map<string, never>();
    return reportSinks({ store: this.#store, environment, sinks }, request);
  }

  settleDead(request: SettleRequest, signal?: AbortSignal): Promise<readonly SettledDead[]> {
    const { environment } = this.#options;
    const hosted = this.sinkHost?.sinks.get(request.sink);
    return settleDead({ store: this.#store, environment, hosted }, request, signal);
  }

  async close(): Promise<void> {
    await this.journal.close();
    await this.sinkHost?.close();
    await this.reconciler?.close();
    await this.host?.close();
    await this.#store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @throws what following one of them fails with: whoever asks does not wait for a disk that is gone. */
  async #whenCaughtUp(projections: readonly string[], signal?: AbortSignal): Promise<void> {
    await this.host?.whenCaughtUp({ projections, signal, failuresMax });
  }

  #namesOf(projection: string | undefined): readonly string[] {
    const names = (this.#options.loaded?.projections ?? []).map(({ name }) => name);
    if (projection === undefined) return names;
    if (names.includes(projection)) return [projection];
    const message = `there is no projection ${JSON.stringify(projection)}; there is ${names.join(", ")}`;
    throw new HeddleError(HeddleErrorCode.configInvalid, message);
  }
}

function jobOptionsOf(request: ReconcileRequest): Partial<JobOptions> {
  const { scope, isDryRun, isThorough, acceptsCap, correctionsMax, isGentle } = request;
  const { isOnlyMoved, by } = request;
  return {
    ...(by !== undefined && { holder: by }),
    ...(isOnlyMoved !== undefined && { isOnlyMoved }),
    ...(scope !== undefined && { scope }),
    ...(isDryRun !== undefined && { isDryRun }),
    ...(isThorough !== undefined && { isThorough }),
    ...(acceptsCap !== undefined && { acceptsCap }),
    ...(correctionsMax !== undefined && { correctionsMax }),
    ...(isGentle !== true && { pace: unhurried }),
  };
}

function noProjections(): HeddleError {
  const message = "no projections are known: say which module has them, with --projections FILE";
  return new HeddleError(HeddleErrorCode.configInvalid, message);
}
