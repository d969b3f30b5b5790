import { HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";
import { writeSpaceFile } from "@heddle/replica/node";
import { openLevelStore } from "@heddle/storage-level";

/**
 * Whether a data folder of the open space can take part in a space; what it resolves to does it.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` when it has documents; `HEDDLE_STORAGE_*`, `..._LOCKED` among
 * them when a replica runs on it: that one would go on in the open space.
 */
export async function prepareSpace(
  directory: string,
  genesis: Uint8Array,
  environment: Environment,
): Promise<() => Promise<void>> {
  const store = await openLevelStore(directory, { environment });
  const documents = await store.countDocuments().finally(() => store.close());
  if (documents === 0) return () => writeSpaceFile(directory, genesis);
  const message = `${directory} holds documents of the open space, and cannot take part in another one`;
  throw new HeddleError(HeddleErrorCode.configInvalid, message);
}
