/** What happened on the network; all that was dropped or refused is here. */
export interface LanCounters {
  /** Connections of paired devices. */
  accepted: number;
  dialed: number;
  /** TLS was fine, and the key is nobody's whom this device was paired with. */
  strangersRefused: number;
  /** No TLS 1.3, no certificate, or not in time. */
  handshakesFailed: number;
  /** Sockets above a bound, cut off unread. */
  socketsDropped: number;
  /** Something else than the wire was asked for, by a paired device. */
  requestsRefused: number;
  /** An address led to another device than it was to lead to. */
  wrongDevices: number;
  /** Greetings of paired devices that name a store of this device, or of another paired one. */
  storesRefused: number;
  /** Connections that were closed because their device is no longer paired. */
  revokedClosed: number;
  /** Times that a paired device was read more slowly, because it sends or asks too fast. */
  readsPaused: number;
  /** Connections that were closed because that did not help. */
  quotaClosed: number;
  /** New documents of a paired device that have to wait for their hour. */
  documentsPutOff: number;
  /** Announcements of paired devices; all others are nobody's. */
  sightings: number;
  announcementsIgnored: number;
  goodbyes: number;
  packetsTooLarge: number;
  packetsTooMany: number;
  packetsMalformed: number;
  instancesForgotten: number;
}

export function newLanCounters(): LanCounters {
  return {
    accepted: 0,
    dialed: 0,
    strangersRefused: 0,
    handshakesFailed: 0,
    socketsDropped: 0,
    requestsRefused: 0,
    wrongDevices: 0,
    storesRefused: 0,
    revokedClosed: 0,
    readsPaused: 0,
    quotaClosed: 0,
    documentsPutOff: 0,
    sightings: 0,
    announcementsIgnored: 0,
    goodbyes: 0,
    packetsTooLarge: 0,
    packetsTooMany: 0,
    packetsMalformed: 0,
    instancesForgotten: 0,
  };
}
