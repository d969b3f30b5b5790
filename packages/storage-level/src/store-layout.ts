/** Where LevelDB keeps its files, within the data folder. */
export const logFolderName = "log";

/** Where projections are kept by default, within the data folder: a database of its own (ADR-0126). */
export const projectionsFolderName = "projections";

/** Where a scrub keeps its snapshot while it reads; removed afterwards, and before the next one. */
export const scrubFolderName = "scrub";

/** What was found damaged and set aside for whoever wants to look at it; never read again. */
export const quarantineFolderName = "quarantine";

/** Space that is given back when the disk is full, so that the store can be opened all the same. */
export const reserveName = "heddle-reserve";

/** There while `heddle repair --replace` changes the files of the store for those of another. */
export const replaceName = "heddle-replace.json";

/** What a backup holds, beside the files: it makes the folder one. */
export const backupListName = "heddle-backup.json";

/** The relay's, not the store's; made once there is a store. */
export const deviceKeyName = "device-key.pem";
