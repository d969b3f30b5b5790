import { HeddleError, HeddleErrorCode } from "@heddle/core";

/**
 * LevelDB reports what the system said as text and nothing else, so a full disk has to be recognised
 * by strerror(3) of ENOSPC and EDQUOT on POSIX and by FormatMessage of ERROR_DISK_FULL on Windows.
 * This is the only place where a message is read. An unknown wording costs a code (`IO` for `FULL`),
 * not a promise: both fence the store.
 */
const fullDisk = /no space left on device|dis[ck] quota exceeded|enough space on the disk/i;
/** ENOENT inside the folder of an existing store, and LevelDB's own word for a missing CURRENT. */
const fileMissing =
  /no such file or directory|cannot find the (file|path)|does not exist \(create/i;

/** Of the system, and of browsers. */
const fullCodes = ["ENOSPC", "EDQUOT", "QuotaExceededError"];

/** What `cause`, thrown by `level`, means for a caller of the store. */
export function storageError(cause: unknown, doing: string): HeddleError {
  if (cause instanceof HeddleError) return cause;
  const chain = chainOf(cause);
  const text = chain.map((error) => error.message).join(": ");
  const codes = new Set(chain.flatMap(({ code, name }) => [code, name]));
  return new HeddleError(codeOf(text, codes), `${doing}: ${text}`, { cause });
}

/** As {@link storageError}, for opening: there a missing file means a store that lost a part. */
export function openError(cause: unknown, doing: string): HeddleError {
  const error = storageError(cause, doing);
  return error.code === HeddleErrorCode.storageIo && fileMissing.test(error.message)
    ? new HeddleError(HeddleErrorCode.storageCorrupt, error.message, { cause })
    : error;
}

/** As {@link storageError}, for writing: a store that cannot write is full, broken or another's, never corrupt. */
export function writeError(cause: unknown): HeddleError {
  const error = storageError(cause, "a commit group could not be written");
  const { storageFull, storageIo, storageLocked } = HeddleErrorCode;
  return [storageFull, storageIo, storageLocked].some((code) => code === error.code)
    ? error
    : new HeddleError(storageIo, error.message, { cause });
}

function codeOf(text: string, codes: ReadonlySet<string | undefined>): HeddleErrorCode {
  if (fullCodes.some((code) => codes.has(code)) || fullDisk.test(text)) {
    return HeddleErrorCode.storageFull;
  }
  // Of IndexedDB: a newer heddle has been here.
  if (codes.has("VersionError")) return HeddleErrorCode.storageVersion;
  if (codes.has("LEVEL_LOCKED")) return HeddleErrorCode.storageLocked;
  if (codes.has("LEVEL_CORRUPTION")) return HeddleErrorCode.storageCorrupt;
  return HeddleErrorCode.storageIo;
}

function chainOf(cause: unknown): (Error & { readonly code?: string })[] {
  const chain: Error[] = [];
  for (let error = cause; error instanceof Error; error = error.cause) chain.push(error);
  return chain.length > 0 ? chain : [new Error(String(cause))];
}
