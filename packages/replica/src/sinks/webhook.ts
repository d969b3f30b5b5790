import { toHex } from "@heddle/core";
import {
  projectionInvalid,
  type Delivery,
  type SinkDefinition,
  type SourceChange,
} from "@heddle/reconcile";

/** Where changes are posted to. */
export interface WebhookOptions {
  readonly url: string;
  /** Sent with each request, for whoever has to know that it is you. */
  readonly headers?: Readonly<Record<string, string>>;
  /** An answer that takes longer is a failure. Default 10 s. */
  readonly answerMsMax?: number;
  readonly fetch?: typeof globalThis.fetch;
}

const answerMsMaxDefault = 10_000;
/** Of those that say that the sender is wrong, what may be right later. */
const laterStatuses: ReadonlySet<number> = new Set([401, 403, 404, 408, 409, 423, 425, 429]);

/**
 * Posts each change as JSON. The header `Idempotency-Key` is the id of its envelope: whoever receives it acts on
 * each key once. 2xx is delivered; 4xx is refused for good, but for those that a setting or time may mend;
 * all else is tried again.
 *
 * @throws HeddleError `HEDDLE_PROJECTION_INVALID` for an address that is none of the web.
 */
export function webhook(options: WebhookOptions): SinkDefinition["deliver"] {
  const { url, headers = {}, answerMsMax = answerMsMaxDefault, fetch = globalThis.fetch } = options;
  assertUrl(url);
  return async (change, key, stopping): Promise<Delivery> => {
    const given = new AbortController();
    const stop = (): void => given.abort(new Error("nobody waits for the answer"));
    stopping.addEventListener("abort", stop);
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json", "idempotency-key": key },
        body: bodyOf(change),
        signal: AbortSignal.any([given.signal, AbortSignal.timeout(answerMsMax)]),
        redirect: "error",
      });
      await response.body?.cancel();
      return deliveryOf(response);
    } catch (error) {
      return { outcome: "failed", reason: reasonOf(error) };
    } finally {
      stopping.removeEventListener("abort", stop);
    }
  };
}

function assertUrl(url: string): void {
  const { protocol } = URL.canParse(url) ? new URL(url) : { protocol: "" };
  if (protocol === "http:" || protocol === "https:") return;
  throw projectionInvalid("webhook", "its url is no address that begins with http:// or https://");
}

function deliveryOf({ ok, status }: Response): Delivery {
  if (ok) return { outcome: "delivered" };
  const isFinal = status >= 400 && status < 500 && !laterStatuses.has(status);
  return { outcome: isFinal ? "refused" : "failed", reason: `status ${status}` };
}

/** `fetch` says no more than that it failed; its cause says why. */
function reasonOf(error: unknown): string {
  const { cause } = error as { readonly cause?: unknown };
  return cause === undefined ? String(error) : `${String(error)}: ${String(cause)}`;
}

function bodyOf({
  id,
  document,
  lane,
  seq,
  hlc,
  update,
  principal,
  reason,
  correlationId,
}: SourceChange): string {
  return JSON.stringify({
    id: toHex(id),
    document: document.name,
    lane,
    seq,
    atMs: hlc.wallMs,
    update: Buffer.from(update).toString("base64"),
    principal,
    reason,
    correlationId,
  });
}
