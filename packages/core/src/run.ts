import { assert } from "./assert.ts";
import { equalBytes } from "./bytes.ts";
import type { Signer, Verifier } from "./environment.ts";
import { withoutSignature, withSignature, type Envelope } from "./envelope.ts";

/**
 * A run is a contiguous stretch of one lane of one document. Each envelope names its predecessor by
 * hash, so one signature on the last of a run authenticates all of it.
 */
export async function signRun(run: readonly Envelope[], signer: Signer): Promise<Envelope[]> {
  const last = run.at(-1);
  assert(last !== undefined && isChained(run), "a run is contiguous and not empty");
  if (last.signature !== undefined) return [...run];
  return [...run.slice(0, -1), withSignature(last, await signer.sign(last.id))];
}

/** True when `run` is one chain and its last envelope carries a good signature of the device. */
export async function verifyRun(
  run: readonly Envelope[],
  devicePublicKey: Uint8Array,
  verifier: Verifier,
): Promise<boolean> {
  const last = run.at(-1);
  if (last?.signature === undefined || !isChained(run)) return false;
  return verifier.verify(devicePublicKey, last.id, last.signature);
}

/**
 * A run of which only the end is signed. {@link verifyRun} proves that one signature; others in between
 * may be anything, and whoever passed them on would be taken for a forger.
 */
export function signedAtEnd(run: readonly Envelope[]): readonly Envelope[] {
  if (run.every(({ signature }, index) => !signature || index === run.length - 1)) return run;
  return run.map((each, index) => (index === run.length - 1 ? each : withoutSignature(each)));
}

function isChained(run: readonly Envelope[]): boolean {
  return run.every((envelope, index) => {
    const before = run[index - 1];
    return (
      before === undefined ||
      (envelope.lane === before.lane &&
        envelope.document === before.document &&
        envelope.seq === before.seq + 1 &&
        equalBytes(envelope.prev, before.id))
    );
  });
}
