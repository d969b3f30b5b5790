import { access } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { HeddleError, HeddleErrorCode } from "@heddle/core";
import {
  defineProjection,
  defineSink,
  type JobOptions,
  type Projection,
  type Sink,
  type SinkDefinition,
} from "@heddle/reconcile";
import { webhook, type WebhookOptions } from "@heddle/replica";
import type { Doc } from "yjs";

/** What a module of projections exports. */
export interface LoadedProjections {
  readonly projections: readonly Projection<Doc>[];
  /** Takes corrections of projections with `repair: "emit"`. */
  readonly onCorrection: JobOptions["onCorrection"];
  readonly sinks: readonly Sink[];
}

/** A sink as a module says it: with what hands a change over, or with the address of a webhook. */
type ModuleSink = Partial<SinkDefinition> & { readonly webhook?: WebhookOptions };

/**
 * Runs a JavaScript module that exports `projections`, a list of what `defineProjection` takes, and perhaps
 * `onCorrection`; or `sinks`, a list of what `defineSink` takes; or all of them. It is the operator's own code and
 * is run like the rest of it.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID`, or `HEDDLE_PROJECTION_INVALID` for a definition that is none.
 */
export async function loadProjections(file: string): Promise<LoadedProjections> {
  const full = path.resolve(file);
  let module: Readonly<Record<string, unknown>>;
  try {
    await access(full);
    module = (await import(pathToFileURL(full).href)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw invalid(`${full} could not be loaded: ${String(cause)}`, cause);
  }
  const { projections = [], onCorrection, sinks = [] } = module;
  if (!Array.isArray(projections) || !Array.isArray(sinks) || isEmpty(projections, sinks)) {
    throw invalid(`${full} exports no list called projections, and none called sinks`);
  }
  if (onCorrection !== undefined && typeof onCorrection !== "function") {
    throw invalid(`onCorrection of ${full} is no function`);
  }
  // Checked here again: they may come from another copy of the package, or from none.
  const checked = (projections as Projection<Doc>[]).map((one) => defineProjection<Doc>(one));
  const checkedSinks = (sinks as ModuleSink[]).map(sinkOf);
  for (const [what, list] of Object.entries({ projections: checked, sinks: checkedSinks })) {
    const names = new Set(list.map(({ name }) => name));
    if (names.size !== list.length) throw invalid(`${full} has two ${what} of one name`);
  }
  return {
    projections: checked,
    onCorrection: onCorrection as JobOptions["onCorrection"],
    sinks: checkedSinks,
  };
}

function isEmpty(...lists: readonly (readonly unknown[])[]): boolean {
  return lists.every((list) => list.length === 0);
}

function sinkOf({ webhook: options, ...definition }: ModuleSink): Sink {
  const deliver = options === undefined ? definition.deliver : webhook(options);
  return defineSink({ ...definition, deliver } as SinkDefinition);
}

function invalid(message: string, cause?: unknown): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, message, { cause });
}
