import { connect, type TLSSocket } from "node:tls";

import { HeddleError, HeddleErrorCode, isHeddleError, type Scheduler } from "@heddle/core";
import {
  attemptDial,
  connectionOf,
  heddleSocketOptions,
  subprotocol,
  type AbortSignalLike,
  type Connection,
  type ConnectionOfOptions,
  type DialOutcome,
  type Transport,
} from "@heddle/sync";
import { WebSocket } from "ws";

import { addressText, type LanAddress } from "./address.ts";
import { BoundConnection, type AdmitStore } from "./bound-connection.ts";
import type { DeviceIdentity, Fingerprint } from "./device-identity.ts";
import type { LanCounters } from "./lan-counters.ts";
import { lanLimits } from "./lan-limits.ts";
import { shownDevice, type ShownDevice } from "./peer-certificate.ts";

export interface LanTransportOptions extends Pick<ConnectionOfOptions, "limits" | "silenceMs"> {
  readonly identity: DeviceIdentity;
  /** Who has to be there. */
  readonly expected: Fingerprint;
  /** Whether that device is trusted at this moment. */
  readonly isTrusted: () => boolean;
  /** Where to look, the best place first; asked for at each dial. */
  readonly addresses: () => readonly LanAddress[];
  readonly scheduler: Scheduler;
  readonly counters: LanCounters;
  readonly admitStore: AdmitStore;
  /** An address led to another device, or to nobody who speaks like one. */
  readonly onWrongDevice?: (address: LanAddress, shown: Fingerprint | undefined) => void;
  readonly onReached?: (address: LanAddress) => void;
  readonly dialMsMax?: number;
}

/**
 * Dials one paired device, one address after the other. The TLS handshake comes first, then the pin;
 * `ws` is handed the socket when both were good, so nobody else is told more than a certificate.
 *
 * Nothing here is refused for good: an address may be somebody else's today, and a device be paired again.
 */
export function lanTransport(options: LanTransportOptions): Transport {
  return {
    name: "lan",
    async dial(signal) {
      const { addresses, isTrusted, expected } = options;
      let failure: HeddleError | undefined;
      for (const address of addresses()) {
        if (!isTrusted()) break;
        try {
          const connection = await dialAddress(options, address, signal);
          options.onReached?.(address);
          return connection;
        } catch (error) {
          if (!isHeddleError(error) || signal.aborted) throw error;
          failure = error;
        }
      }
      if (failure) throw failure;
      const message = `no address of ${expected.slice(0, 16)} is known, or it is not paired`;
      const cause = signal.aborted ? { cause: signal.reason } : {};
      throw new HeddleError(HeddleErrorCode.sessionClosed, message, cause);
    },
  };
}

function dialAddress(
  options: LanTransportOptions,
  address: LanAddress,
  signal: AbortSignalLike,
): Promise<Connection> {
  const { scheduler, dialMsMax = lanLimits.dialAddressMsMax } = options;
  const about = { signal, scheduler, dialMsMax, target: addressText(address) };
  return attemptDial<Connection>(about, (outcome) => {
    const socket = openTls(options.identity, address);
    let webSocket: WebSocket | undefined;
    socket.on("error", (cause: Error) => outcome.failed(lost(address, cause)));
    socket.once("close", () => outcome.failed(lost(address)));
    socket.once("secureConnect", () => {
      const shown = shownDevice(socket);
      if (shown?.fingerprint === options.expected && options.isTrusted()) {
        webSocket = upgrade(options, { socket, shown, address }, outcome);
        return;
      }
      options.counters.wrongDevices++;
      options.onWrongDevice?.(address, shown?.fingerprint);
      const message = `another device is at ${addressText(address)}`;
      outcome.failed(new HeddleError(HeddleErrorCode.sessionClosed, message));
    });
    return () => {
      // A socket of `ws` that is cut off before it is open says so as an error.
      webSocket?.on("error", () => socket.destroy());
      webSocket?.terminate();
      socket.destroy();
    };
  });
}

function openTls(identity: DeviceIdentity, { host, port }: LanAddress): TLSSocket {
  return connect({
    host,
    port,
    key: identity.privateKey.export({ type: "pkcs8", format: "pem" }),
    cert: identity.certificate,
    // Nobody signed for anybody, and names mean nothing: who it is decides the pin.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    minVersion: "TLSv1.3",
  });
}

interface Secured {
  readonly socket: TLSSocket;
  readonly shown: ShownDevice;
  readonly address: LanAddress;
}

function upgrade(
  options: LanTransportOptions,
  { socket, shown, address }: Secured,
  outcome: DialOutcome<Connection>,
): WebSocket {
  const { scheduler, limits, silenceMs, counters, admitStore } = options;
  const { maxPayload, maxFragments, maxBufferedChunks, perMessageDeflate } = heddleSocketOptions;
  const bounds = { maxPayload, maxFragments, maxBufferedChunks, perMessageDeflate };
  const webSocket = new WebSocket("ws://heddle.invalid/", [subprotocol], {
    ...bounds,
    createConnection: () => socket,
  });
  webSocket.on("error", (cause) => outcome.failed(lost(address, cause)));
  webSocket.once("open", () => {
    counters.dialed++;
    const settings = { scheduler, ...(limits && { limits }), ...(silenceMs && { silenceMs }) };
    const connection = connectionOf(webSocket, settings);
    outcome.opened(new BoundConnection(connection, shown, admitStore));
  });
  return webSocket;
}

function lost(address: LanAddress, cause?: Error): HeddleError {
  const message = `${addressText(address)} does not answer as a paired device would`;
  return new HeddleError(HeddleErrorCode.sessionClosed, message, cause && { cause });
}
