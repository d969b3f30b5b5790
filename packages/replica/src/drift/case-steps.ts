import type { DriftStep } from "@heddle/reconcile";

import type { DriftCasesParts } from "./drift-cases.ts";
import type { DriftPeers } from "./drift-options.ts";
import { leaveOut } from "./leave-out.ts";
import { lookAtDocument } from "./look-at-document.ts";
import { mendHere } from "./mend-here.ts";
import type { OpenCase } from "./open-case.ts";

/** After records came, before somebody looks: others may be on their way. */
export const mendRestMs = 300;
/** How long a document that was put together anew may take to be shown. */
const shownMsMax = 5_000;
const shownEveryMs = 50;

/** Does what a case of drift asks for; what came of it is for the look that follows. */
export class CaseSteps {
  readonly #parts: DriftCasesParts;
  readonly #peers: () => DriftPeers | undefined;

  constructor(parts: DriftCasesParts, peers: () => DriftPeers | undefined) {
    this.#parts = parts;
    this.#peers = peers;
  }

  /** @throws HeddleError `HEDDLE_STORAGE_*`, and what a fold was refused with. */
  async do(open: OpenCase, step: DriftStep): Promise<void> {
    const { tools, mending, waiting, times } = this.#parts;
    const { document, correlationId } = open;
    if (step === "waited") return waiting.sleep(times.waitMs);
    if (step === "reloaded") return this.#reload(open);
    if (step === "refetched") return this.#refetch(open);
    if (step === "exchanged") {
      await leaveOut({ ...tools, journal: this.#parts.journal }, document, correlationId);
      // The others find the same by themselves, sooner when they hear that something is left out.
      return this.#peers()?.compare(document);
    }
    const look = await lookAtDocument(tools, document);
    if (look) await mendHere(mending, look, correlationId);
  }

  /** Everybody who shows it opens it again, from the disk. */
  async #reload({ document }: OpenCase): Promise<void> {
    const { tools, waiting } = this.#parts;
    const loaded = tools.replica.loaded(document);
    if (loaded === undefined) return;
    // A store that fails meanwhile settles nothing any more: then there is nothing to put together either.
    await Promise.race([loaded.whenSettled(), waiting.sleep(shownMsMax)]);
    const untilMs = this.#nowMs + shownMsMax;
    tools.replica.reopen(document, "what was shown is not what the log adds up to; open it again");
    // What is shown next is what is looked at.
    while (this.#nowMs < untilMs && !waiting.isStopped) {
      await waiting.sleep(shownEveryMs);
      if ((tools.replica.loaded(document)?.shown(false)?.digests.length ?? 0) > 0) return;
    }
  }

  /** Peers see of it what is whole, and bring the rest; until it comes, or nobody has brought it in time. */
  async #refetch(open: OpenCase): Promise<void> {
    const { degraded, tools, waiting, times } = this.#parts;
    const { document, correlationId } = open;
    const peers = this.#peers();
    const survey = await tools.store.surveyDocument(document);
    if (!peers || survey?.entry === undefined) return;
    if (!degraded.has(document)) {
      degraded.begin(document, { correlationId, cause: open.state.finding.cause });
      open.stopWanting = peers.want(survey.entry);
      peers.reload(document);
    }
    const untilMs = this.#nowMs + times.refetchMs;
    while (this.#nowMs < untilMs && !waiting.isStopped) {
      const { promise, answer } = waiting.answered<true>(untilMs - this.#nowMs);
      open.mend = () => answer(true);
      const hasCome = await promise;
      open.mend = undefined;
      if (!hasCome) return;
      await waiting.sleep(mendRestMs);
      const look = await lookAtDocument(tools, document, { isShallow: true });
      if (look?.finding === undefined) return;
      // What lay behind the hole counts again: others may lack just that.
      peers.reload(document);
    }
  }

  get #nowMs(): number {
    return this.#parts.tools.environment.clock.monotonicMs();
  }
}
