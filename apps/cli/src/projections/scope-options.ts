import { HeddleError, HeddleErrorCode, parseDocumentId } from "@heddle/core";
import { beginningWith, only, type JobScope, type NameRange } from "@heddle/reconcile";

/** What of a projection is looked at, as it is said on the command line. */
export interface ScopeOptions {
  readonly partition?: string;
  readonly partitionPrefix?: string;
  readonly document?: readonly string[];
  readonly keyFrom?: string;
  readonly keyTo?: string;
  readonly sample?: number;
  readonly sampleSeed?: string;
}

/**
 * `undefined` for everything.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for what cannot be meant.
 */
export function jobScopeOf(options: ScopeOptions): JobScope | undefined {
  const { document = [], keyFrom: from, keyTo: to, sample: ratio } = options;
  const documents = document.map((text) => {
    const id = parseDocumentId(text);
    if (id === undefined) throw invalid(`${JSON.stringify(text)} is no id of a document`);
    return id;
  });
  if (ratio === undefined && options.sampleSeed !== undefined) {
    throw invalid("--sample-seed goes with --sample");
  }
  const partitions = partitionsOf(options);
  const seed = options.sampleSeed ?? new Date().toISOString();
  const scope: JobScope = {
    ...(partitions && { partitions }),
    ...(documents.length > 0 && { documents }),
    ...((from !== undefined || to !== undefined) && { keys: { from, to } }),
    ...(ratio !== undefined && { sample: { ratio, seed } }),
  };
  return Object.keys(scope).length > 0 ? scope : undefined;
}

function partitionsOf({ partition, partitionPrefix }: ScopeOptions): NameRange | undefined {
  if (partition !== undefined && partitionPrefix !== undefined) {
    throw invalid("either --partition or --partition-prefix");
  }
  if (partitionPrefix !== undefined) return beginningWith(partitionPrefix);
  return partition === undefined ? undefined : only(partition);
}

/** What a run was narrowed to, for people; `undefined` when it looked at everything. */
export function scopeText({ partitions, documents, keys, sample }: JobScope): string | undefined {
  const parts = [
    partitions && "some partitions",
    documents && `${documents.length} documents`,
    keys && `keys from ${keys.from ?? "the first"} up to ${keys.to ?? "the last"}`,
    sample && `a sample of ${sample.ratio} of the partitions, seed ${sample.seed}`,
  ].filter((part) => part !== undefined);
  if (parts.length === 0) return undefined;
  return `only ${parts.join(", ")}: nothing is said about the rest`;
}

function invalid(message: string): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, message);
}
