import { isAsExpected } from "../projection-batch.ts";
import type { Lease, ProjectionStore, RecordBytes } from "../projection-store.ts";
import { RecordDraft } from "../record-draft.ts";
import { capPath, encodeCapRecord, isHeldByCap } from "./cap-record.ts";
import { encodeJobRecord, jobPath, type JobRecord } from "./job-record.ts";

export interface JobWriterOptions {
  readonly projection: string;
  readonly job: string;
  /** Digest of the definition, in hex. */
  readonly definition: string;
  readonly holder: string;
  readonly leaseMs: number;
  readonly monotonicMs: () => number;
}

/** Writes what a job decides, under its leases, together with where it stands. */
export class JobWriter {
  readonly #store: ProjectionStore;
  readonly #options: JobWriterOptions;
  readonly #runLease: Lease;
  #recordBytes: RecordBytes | undefined;
  #capBytes: RecordBytes | undefined;
  #partition: { readonly name: string; readonly lease: Lease } | undefined;
  #renewedMs: number;

  private constructor(
    store: ProjectionStore,
    options: JobWriterOptions,
    runLease: Lease,
    [recordBytes, capBytes]: readonly (RecordBytes | undefined)[],
  ) {
    this.#store = store;
    this.#options = options;
    this.#runLease = runLease;
    this.#recordBytes = recordBytes;
    this.#capBytes = capBytes;
    this.#renewedMs = options.monotonicMs();
  }

  /** `undefined` while somebody else does this job. */
  static async open(
    store: ProjectionStore,
    options: JobWriterOptions,
  ): Promise<JobWriter | undefined> {
    const { projection, job, holder, leaseMs } = options;
    const lease = await store.acquireLease(`job/${projection}/${job}`, holder, leaseMs);
    if (lease === undefined) return undefined;
    const records = await store.get([jobPath(projection, job), capPath(projection)]);
    return new JobWriter(store, options, lease, records);
  }

  /** The record as the run before left it. */
  get recordBytes(): RecordBytes | undefined {
    return this.#recordBytes;
  }

  /** Whether a run of this projection stopped at its cap, and nobody has accepted that. */
  get isHeldByCap(): boolean {
    return isHeldByCap(this.#capBytes, this.#options.definition);
  }

  /** Corrections may go on, in all jobs of this projection. */
  async acceptCap(): Promise<"applied" | "fenced"> {
    const path = capPath(this.#options.projection);
    const draft = new RecordDraft(this.#store);
    const [found] = await draft.get([path]);
    if (found === undefined) return "applied";
    draft.remove(path);
    const outcome = await draft.commit({ lease: this.#runLease });
    if (outcome === "applied") this.#capBytes = undefined;
    return outcome === "applied" ? "applied" : "fenced";
  }

  /**
   * Takes the lease of a partition, before rows are read that may be corrected: from here on no other
   * job writes into it. False while another one has it.
   */
  async enter(partition: string): Promise<boolean> {
    await this.#renew();
    if (this.#partition?.name === partition) return true;
    await this.#leave();
    const { projection, holder, leaseMs } = this.#options;
    const name = `partition/${projection}/${partition}`;
    const lease = await this.#store.acquireLease(name, holder, leaseMs);
    if (lease !== undefined) this.#partition = { name: partition, lease };
    return lease !== undefined;
  }

  /**
   * Writes a draft of the partition that was entered, with entries of the journal and the record.
   *
   * @returns `moved` when something that was read is not so any more; `fenced` when a lease is lost,
   * or somebody else has written this job's record; `capped` when another job has reached its cap meanwhile.
   */
  async write(
    draft: RecordDraft,
    audit: readonly Uint8Array[],
    record: JobRecord,
  ): Promise<"applied" | "moved" | "fenced" | "capped"> {
    if (this.#partition === undefined) return "fenced";
    const { projection, definition } = this.#options;
    const [cap] = await draft.get([capPath(projection)]);
    if (isHeldByCap(cap, definition)) return "capped";
    return await this.#commit(draft, { audit, record, lease: this.#partition.lease });
  }

  /** Writes where the job stands; of one that stops at its cap, so that all others stop, too. */
  async checkpoint(record: JobRecord, atMs: number): Promise<"applied" | "fenced"> {
    await this.#renew();
    const draft = new RecordDraft(this.#store);
    if (record.state === "capped") {
      const { projection, job, definition } = this.#options;
      const path = capPath(projection);
      const [found] = await draft.get([path]);
      const { run } = record;
      if (!isHeldByCap(found, definition)) {
        draft.put(path, encodeCapRecord({ job, run, atMs, definition }));
      }
    }
    const written = { audit: [], record, lease: this.#runLease };
    // Nobody else writes the record, but for one who has taken over.
    return (await this.#commit(draft, written)) === "applied" ? "applied" : "fenced";
  }

  async close(): Promise<void> {
    await this.#leave();
    await this.#store.releaseLease(this.#runLease);
  }

  async #commit(
    draft: RecordDraft,
    { audit, record, lease }: { audit: readonly Uint8Array[]; record: JobRecord; lease: Lease },
  ): Promise<"applied" | "moved" | "fenced"> {
    const path = jobPath(this.#options.projection, this.#options.job);
    const [found] = await draft.get([path]);
    if (!isAsExpected(found, this.#recordBytes)) return "fenced";
    const value = encodeJobRecord(record);
    draft.put(path, value);
    const outcome = await draft.commit({ audit, lease });
    if (outcome === "applied") this.#recordBytes = value;
    return outcome;
  }

  async #leave(): Promise<void> {
    const held = this.#partition;
    this.#partition = undefined;
    if (held !== undefined) await this.#store.releaseLease(held.lease);
  }

  /** A lease that is lost stays so: what is written under it is refused, and that is how the job learns. */
  async #renew(): Promise<void> {
    const { leaseMs, monotonicMs } = this.#options;
    if (monotonicMs() - this.#renewedMs < leaseMs / 4) return;
    this.#renewedMs = monotonicMs();
    await this.#store.renewLease(this.#runLease, leaseMs);
    if (this.#partition) await this.#store.renewLease(this.#partition.lease, leaseMs);
  }
}
