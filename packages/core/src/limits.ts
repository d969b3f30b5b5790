/** Bounds that are part of the format or of a promise. Sizes in bytes, counts in items. */
export const limits = {
  /**
   * One Yjs update, and so one envelope payload. One paste is one update and stock clients cannot
   * split it, so a smaller cap refuses honest work; a larger one lets a stranger pin more memory.
   */
  updateBytesMax: 16 * 1024 * 1024,
  /**
   * Yjs clients in one section of an update. A document of years has some thousands; millions of them
   * fit into one message and keep a reader busy for seconds.
   */
  clientsPerUpdateMax: 65_536,
  /** Envelope fields other than the payload; keeps a hostile header from hiding a second payload. */
  envelopeHeaderBytesMax: 4 * 1024,
  /** UTF-16 units after NFC normalisation. A name reaches logs, keys (hashed) and the UI whole. */
  documentNameLengthMax: 128,
  /** A checkpoint's state, inflated. A larger document has none and is loaded from its log. */
  checkpointStateBytesMax: 128 * 1024 * 1024,
  checkpointHeaderBytesMax: 4 * 1024,
  /** State vector of what recalls keep out of a checkpoint; a document with more has none. */
  checkpointHeldBytesMax: 2 * 1024,
  /** Both branches of a kept fork; as much as one frame of a peer can bring. */
  forkBytesMax: 17 * 1024 * 1024,
  /** One entry of the audit journal, and how many of them are kept. */
  auditEntryBytesMax: 8 * 1024,
  auditEntriesMax: 4_096,
  /** Names that a store remembers to have written, for jobs that look at what moved only. */
  movesKeptMax: 16_384,
  correlationIdBytesMax: 16,
  principalBytesMax: 256,
  sourceTagBytesMax: 16,
  reasonBytesMax: 256,
  /** Lanes in one version vector; a lane is an editing session, so this is decades of daily use. */
  lanesPerVectorMax: 1_000_000,
  /** One membership record, signature included; the list of a cut is beside it. */
  membershipRecordBytesMax: 16 * 1024,
  /** Heads that one membership record names. More branches than these have to be joined by others first. */
  membershipHeadsMax: 256,
  /** Membership records that may lie in the past of one; what is beyond has no place in the space. */
  membershipPastMax: 10_000,
  /** The list of one revocation: some hundred thousand documents of one device. */
  membershipCutBytesMax: 12 * 1024 * 1024,
  /** What a member or space is called, UTF-8. */
  membershipLabelBytesMax: 128,
  /** Deepest nesting of maps and arrays in one `Any` value or JSON string. */
  anyDepthMax: 64,
  /** Client ids and clocks are integers below this: sums stay exact in a double. */
  clockMax: 2 ** 48,
} as const;
