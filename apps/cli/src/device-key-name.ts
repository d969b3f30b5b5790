/** Beside the store, in the data folder of a relay. */
export { deviceKeyName } from "@heddle/storage-level";
