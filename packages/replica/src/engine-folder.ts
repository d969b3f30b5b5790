import { isHeddleError, type Compression, type Hash } from "@heddle/core";
import type { CrdtEngine, LoadedDocument } from "@heddle/document";

import type { FoldJob, FoldResult, StateFacts, StateFolder } from "./state-folder.ts";

/** Folds in this thread: for tests, and where there are no others. */
export class EngineFolder implements StateFolder {
  readonly #engine: CrdtEngine;
  readonly #hash: Hash;
  readonly #compression: Compression;

  constructor(
    engine: CrdtEngine,
    tools: { readonly hash: Hash; readonly compression: Compression },
  ) {
    this.#engine = engine;
    this.#hash = tools.hash;
    this.#compression = tools.compression;
  }

  async fold(job: FoldJob): Promise<FoldResult> {
    try {
      return await this.#fold(job);
    } catch (error) {
      return { outcome: "failed", reason: isHeddleError(error) ? error.message : String(error) };
    }
  }

  async close(): Promise<void> {
    // Nothing runs between calls.
  }

  async #fold({ base, updates, stateBytesMax }: FoldJob): Promise<FoldResult> {
    const inflated = base && (await this.#compression.inflateRaw(base.state, base.stateBytes));
    const before = inflated ? [inflated] : [];
    const built = this.#engine.fold([...before, ...updates]);
    try {
      if (built.hasPending) return { outcome: "pending" };
      const state = built.encodeState();
      if (state.length > stateBytesMax) return { outcome: "too-large" };
      const loaded = this.#engine.fold([state]);
      const baseDocument = this.#engine.fold(before);
      const result: FoldResult = {
        outcome: "folded",
        engine: `${this.#engine.name} ${this.#engine.version}`,
        state: await this.#compression.deflateRaw(state),
        stateBytes: state.length,
        baseVector: baseDocument.encodeStateVector(),
        built: this.#factsOf(built),
        loaded: this.#factsOf(loaded),
      };
      baseDocument.destroy();
      loaded.destroy();
      return result;
    } finally {
      built.destroy();
    }
  }

  #factsOf(document: LoadedDocument): StateFacts {
    return {
      stateVector: document.encodeStateVector(),
      deletes: document.deletes(),
      digestC: new Uint8Array(document.digestC(this.#hash)),
    };
  }
}
