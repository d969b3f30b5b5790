export * from "./device-identity.ts";
export * from "./address.ts";
export * from "./lan-counters.ts";
export * from "./lan-limits.ts";
export { LanListener, type LanListenerOptions } from "./lan-listener.ts";
export { lanTransport, type LanTransportOptions } from "./lan-transport.ts";
export type { PairedDevice, WantedStanding } from "./paired-device.ts";
export { PairedDevices } from "./paired-devices.ts";
export { joinPairing } from "./join-pairing.ts";
export { parsePairingLink, type PairingLink } from "./pairing-link.ts";
export {
  startPairing,
  type Pairing,
  type PairingParty,
  type StartPairingOptions,
} from "./start-pairing.ts";
export { bonjourDiscovery } from "./bonjour-discovery.ts";
export { diagnoseLan, type DiagnoseOptions } from "./diagnose-lan.ts";
export * from "./lan-finding.ts";
export type {
  AnnouncedText,
  Announcement,
  Discovery,
  DiscoveryHandlers,
  RunningDiscovery,
  Sighting,
} from "@heddle/sync";
export { KnownAddresses } from "./known-addresses.ts";
export { hostsOf } from "./own-hosts.ts";
export {
  lan,
  lanFolders,
  openParty,
  type Lan,
  type LanOptions,
  type LanPairOptions,
} from "./lan.ts";
export type { OwnSpace } from "./space-invitation.ts";
export type { LanPeerView } from "./lan-peer.ts";
export type { StoreHolder } from "./store-claims.ts";
export { nameOf } from "./lan-peers.ts";
