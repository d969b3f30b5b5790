/** Bounds of everything that a neighbour, or a file, can say; sizes in bytes, times in milliseconds. */
export const lanLimits = {
  /** Devices that may be paired with one: an announcement has to have room for a tag of each. */
  pairedMax: 64,
  /** Of a device's name, in UTF-8. */
  nameBytesMax: 128,
  /** Of a file that says who is paired. */
  recordBytesMax: 4 * 1024,

  /** Sockets of strangers and friends together; from one address. */
  socketsMax: 256,
  socketsPerAddressMax: 16,
  /** From the first byte to a finished handshake and a request to upgrade. */
  handshakeMsMax: 5_000,
  /** To one address; then the next one is tried. */
  dialAddressMsMax: 2_500,

  /** A pairing is over then, whoever is on the way. */
  pairingMsMax: 10 * 60_000,
  /** Handshakes that fail before a pairing is withdrawn. */
  pairingAttemptsMax: 10,
  pairingMessageBytesMax: 1_024,
  /** Of a link, as it is read. */
  linkCharactersMax: 1_024,
} as const;
