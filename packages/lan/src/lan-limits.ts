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
  /** Addresses that are kept of one device, and tried by one dial. */
  addressesPerDeviceMax: 4,
  /** Stores that one device may have spoken for: it was repaired, or its key was copied. */
  storesPerDeviceMax: 4,

  /** What a paired device may bring, over all of its connections: several times what a relay takes of a stranger. */
  deviceBytesPerSecond: 32 * 1024 * 1024,
  deviceBytesBurst: 256 * 1024 * 1024,
  deviceFramesPerSecond: 10_000,
  deviceFramesBurst: 200_000,
  /** Frames that make this device look at its disk. */
  deviceAsksPerSecond: 5_000,
  /** 100,000 documents that are compared one by one, and more. */
  deviceAsksBurst: 400_000,
  /** Documents of which nothing is here. */
  deviceDocumentsPerHour: 250_000,
  /** A device is read more slowly; one that owes more time than this is told to come back. */
  deviceDebtMsMax: 30_000,

  /** A packet of multicast DNS above that is not looked at (RFC 6762, 17). */
  packetBytesMax: 9_000,
  /** Questions and records of a packet together: the library compares each record with each, and answers each question. */
  packetRecordsMax: 32,
  packetsPerSecond: 200,
  packetsBurst: 400,
  /** Instances that are remembered before all of them are looked for anew. */
  instancesMax: 256,
  /** Of the text of one announcement. */
  textBytesMax: 1_024,
  /** Between two looks for devices that are paired and not connected. */
  searchMs: 10_000,
  /** Between two looks at interfaces and at who is paired. */
  watchMs: 1_000,
  /** The device that does not dial first gives the other one so long. */
  dialPatienceMs: 3_000,

  /** A pairing is over then, whoever is on the way. */
  pairingMsMax: 10 * 60_000,
  /** Handshakes that fail before a pairing is withdrawn. */
  pairingAttemptsMax: 10,
  pairingMessageBytesMax: 1_024,
  /** Of a space that a card invites to; the longest that heddle makes has fewer than 300. */
  genesisBytesMax: 384,
  /** Of a link, as it is read. */
  linkCharactersMax: 1_024,
} as const;
