/** Where LevelDB keeps its files, within the data folder. */
export const logFolderName = "log";

/** Where a scrub keeps its snapshot while it reads; removed afterwards, and before the next one. */
export const scrubFolderName = "scrub";

/** What was found damaged and set aside for whoever wants to look at it; never read again. */
export const quarantineFolderName = "quarantine";

/** Space that is given back when the disk is full, so that the store can be opened all the same. */
export const reserveName = "heddle-reserve";
