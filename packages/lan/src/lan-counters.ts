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
  };
}
