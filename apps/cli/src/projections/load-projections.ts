import { access } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { HeddleError, HeddleErrorCode } from "@heddle/core";
import { defineProjection, type JobOptions, type Projection } from "@heddle/reconcile";
import type { Doc } from "yjs";

/** What a module of projections exports. */
export interface LoadedProjections {
  readonly projections: readonly Projection<Doc>[];
  /** Takes corrections of projections with `repair: "emit"`. */
  readonly onCorrection: JobOptions["onCorrection"];
}

/**
 * Runs a JavaScript module that exports `projections`, a list of what `defineProjection` gives, and
 * perhaps `onCorrection`. It is the operator's own code and is run like the rest of it.
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
  const { projections, onCorrection } = module;
  if (!Array.isArray(projections) || projections.length === 0) {
    throw invalid(`${full} exports no list called projections`);
  }
  if (onCorrection !== undefined && typeof onCorrection !== "function") {
    throw invalid(`onCorrection of ${full} is no function`);
  }
  // Checked here again: they may come from another copy of the package, or from none.
  const checked = (projections as Projection<Doc>[]).map((one) => defineProjection<Doc>(one));
  const names = new Set(checked.map(({ name }) => name));
  if (names.size !== checked.length) throw invalid(`${full} has two projections of one name`);
  return { projections: checked, onCorrection: onCorrection as JobOptions["onCorrection"] };
}

function invalid(message: string, cause?: unknown): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, message, { cause });
}
