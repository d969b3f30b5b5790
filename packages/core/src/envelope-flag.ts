/** Bits of an envelope's `flags`. Numbers are part of the format. */
export const EnvelopeFlag = { encrypted: 1, compressed: 2, viaGateway: 4, imported: 8 } as const;
