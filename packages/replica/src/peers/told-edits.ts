import { isHeddleError, toHex, type Environment, type LogStore } from "@heddle/core";
import type { KeptRefusal, SyncEvent } from "@heddle/sync";

import { traceFieldsOf, visibleReason } from "../edit-trace.ts";
import type { ReplicaTelemetry } from "../telemetry.ts";
import { readRefused } from "./read-refused.ts";

export interface ToldEditsParts {
  readonly environment: Environment;
  readonly store: LogStore;
  readonly telemetry: ReplicaTelemetry | undefined;
}

/** Says where on the wire edits are that an application gave a correlation id. */
export class ToldEdits {
  readonly #parts: ToldEditsParts;

  constructor(parts: ToldEditsParts) {
    this.#parts = parts;
  }

  /** Given to the connection to a peer; whether it got there, its own line says. */
  pushed({ store: peer, envelopes }: Extract<SyncEvent, { name: "edits.pushed" }>): void {
    const { environment, telemetry } = this.#parts;
    const { clock, logger } = environment;
    for (const envelope of envelopes) {
      const { document, lane, seq, correlationId, reason } = envelope;
      if (correlationId === undefined) continue;
      logger.debug("edit.pushed", { document, lane, seq, peer, ...traceFieldsOf(envelope) });
      telemetry?.onTraced?.({
        name: "heddle.push",
        correlationId,
        reason: reason && visibleReason(reason),
        document,
        lane,
        seq,
        peer,
        endedAtMs: clock.nowMs(),
        tookMs: 0,
      });
    }
  }

  /** Names the first edit that a peer's store does not take, which is the one at fault. */
  refused(refusal: KeptRefusal): void {
    this.#tellRefused(refusal).catch((error: unknown) => {
      if (!isHeddleError(error)) throw error;
      const fields = { document: refusal.document, code: error.code };
      this.#parts.environment.logger.warn("lane.refused_unreadable", fields);
    });
  }

  async #tellRefused(refusal: KeptRefusal): Promise<void> {
    const { document, lane, seq, store: peer, code, reason } = refusal;
    const why = visibleReason(new TextEncoder().encode(reason));
    const fields = { document, lane, seq, peer, nak: code, reason: why };
    const edits = readRefused(this.#parts, refusal);
    const { value: first } = await edits.next();
    await edits.return(undefined);
    const said = first?.seq === seq ? first : undefined;
    this.#parts.environment.logger.warn("lane.refused", {
      ...fields,
      ...(said?.correlationId && { correlationId: toHex(said.correlationId) }),
      ...(said?.reason && { editReason: said.reason }),
    });
  }
}
