import { HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";
import type { ProjectionStore } from "@heddle/reconcile";
import { DeadChanges, dropDead, type HostedSink, type SettledDead } from "@heddle/replica";

import type { SettleRequest } from "./desk.ts";

export interface SettleGround {
  readonly store: ProjectionStore;
  readonly environment: Environment;
  /** Without one its definition is not known: dead changes can be dropped and not tried. */
  readonly hosted: HostedSink | undefined;
}

/**
 * Tries dead changes of a sink again, or drops them, one after the other.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for a retry of a sink that nobody has defined here; `HEDDLE_STORAGE_*`.
 */
export async function settleDead(
  { store, environment, hosted }: SettleGround,
  { sink, retry, drop, by }: SettleRequest,
  signal?: AbortSignal,
): Promise<readonly SettledDead[]> {
  const dead = hosted?.dead ?? new DeadChanges({ sink, store, environment });
  await dead.open();
  const wanted = retry ?? drop;
  const ids = wanted === true ? (await dead.list(dead.count)).map(({ id }) => id) : wanted;
  if (!Array.isArray(ids)) throw invalid("nothing is asked for");
  if (retry !== undefined && hosted === undefined) {
    throw invalid(
      `no sink ${sink} is defined here: say which module has it, with --projections FILE`,
    );
  }
  const settled: SettledDead[] = [];
  for (const id of ids) {
    if (signal?.aborted) break;
    settled.push(
      retry === undefined
        ? await dropDead({ dead, name: sink, environment, by }, String(id))
        : await hosted!.retryDead(String(id), by),
    );
  }
  return settled;
}

function invalid(message: string): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, message);
}
