/**
 * Raise it when an older heddle would damage or misread the store.
 *
 * - 1: envelopes, vectors, parking, quarantine.
 * - 2: checkpoints; logs that begin above a floor, which format 1 takes for lost envelopes.
 * - 3: envelopes say where they stand among all that arrived; cursors and acknowledgements of peers,
 *   fork proofs and refusals.
 */
export const storeFormat = 3;
