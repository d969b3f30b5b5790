/** Bounds of what projections say and keep. Sizes in bytes, counts in items; see docs/limits.md. */
export const projectionLimits = {
  /** One value in canonical JSON. A row is a count, a short list, the text of a page; not a document. */
  rowValueBytesMax: 64 * 1024,
  /** Deepest nesting of arrays and objects in a value. */
  rowValueDepthMax: 32,
  /** UTF-8 of a row's key, and of a partition. Both are parts of keys on the disk, and labels. */
  keyBytesMax: 256,
  /** Rows that one document may give. They are written together with its marker, as one batch. */
  rowsPerDocumentMax: 10_000,
  /** Values and keys of them. */
  rowBytesPerDocumentMax: 8 * 1024 * 1024,
  /** UTF-8 of the owner of a definition. */
  ownerBytesMax: 128,
  /** UTF-8 of all parts of a path, with their ends. */
  pathBytesMax: 1024,
  /** Markers of folds hold the seq of every lane of their document. */
  recordBytesMax: 4 * 1024 * 1024,
  /** Puts and removals of one batch: index, row and total for each row of a document, twice over. */
  batchEntriesMax: 65_536,
  batchBytesMax: 64 * 1024 * 1024,
  /** Records that one page of a reading may hold; it ends earlier at some 1 MiB. */
  pageEntriesMax: 1_000,
  pageBytesMax: 1024 * 1024,
  /** UTF-8 of the name and of the holder of a lease. */
  leaseNameBytesMax: 512,
  leaseTtlMsMin: 100,
  leaseTtlMsMax: 24 * 60 * 60 * 1000,
  auditEntryBytesMax: 64 * 1024,
  /** Entries of the journal of a store that are kept, and for how long. */
  auditEntriesMax: 100_000,
  auditEntryMsMax: 2 * 365 * 24 * 60 * 60 * 1000,
  /** Changes that one sink keeps as dead, and for how long; a definition may keep fewer, for shorter or longer. */
  deadChangesMax: 10_000,
  deadChangeMsMax: 90 * 24 * 60 * 60 * 1000,
} as const;
