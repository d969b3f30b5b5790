/** Beside the store, in the data folder of a relay. */
export const deviceKeyName = "device-key.pem";
