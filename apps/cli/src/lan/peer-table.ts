import { styleText } from "node:util";

import { shortFingerprint, type LanPeerView, type StoreHolder } from "@heddle/lan";

import { formatBytes } from "../format-bytes.ts";
import { visibleText } from "../visible-text.ts";
import type { PeerPicture, PeerRow } from "./peer-picture.ts";
import { counted, progressText } from "./progress-text.ts";
import { textTable } from "./text-table.ts";

interface Line {
  readonly text: string;
  readonly style?: "bold" | "dim" | "yellow";
}

/**
 * What is drawn for a person, line by line. No line is wider than the terminal: one that is wrapped takes
 * two, and what is drawn over it then would leave half of it standing.
 */
export function peerTable(picture: PeerPicture, columns = Infinity): readonly string[] {
  return linesOf(picture).map(({ text, style }) => {
    const fitting = text.length > columns ? `${text.slice(0, Math.max(0, columns - 1))}…` : text;
    return style ? styleText(style, fitting, { validateStream: false }) : fitting;
  });
}

function linesOf(picture: PeerPicture): readonly Line[] {
  const { directory, fingerprint, port, peers, documents, outbox, trouble, pages } = picture;
  const connected = peers.filter(({ state }) => state === "connected").length;
  const stored = documents === undefined ? "–" : counted(documents, "document");
  return [
    { text: `heddle peer  ${fingerprint}  port ${port}`, style: "bold" },
    { text: directory, style: "dim" },
    { text: "" },
    ...(peers.length === 0
      ? [{ text: `${nobodyYet(directory)}, in another terminal` }]
      : rowsOf(peers)),
    { text: "" },
    ...(peers.length === 0
      ? [{ text: stored }]
      : [{ text: `${stored} · ${connected} of ${counted(peers.length, "device")} connected` }]),
    ...(peers.length === 0 && outbox.envelopes === 0 ? [] : [{ text: waitingIn(outbox) }]),
    ...(pages
      ? [{ text: `${counted(pages.open, "page")} at ${pages.url}${tokenHint(pages)}` }]
      : []),
    ...(trouble === undefined ? [] : [{ text: trouble, style: "yellow" } as const]),
    { text: "stop with Ctrl-C", style: "dim" },
  ];
}

/** What is written here and nowhere else is the last thing to lose. */
function waitingIn({ envelopes, bytes }: PeerPicture["outbox"]): string {
  if (envelopes === 0) return "everything of this device is elsewhere, too";
  return `${counted(envelopes, "envelope")} (${formatBytes(bytes)}) not on any other device yet`;
}

/** Whoever begins has to be told how. */
export function nobodyYet(directory: string): string {
  return `paired with nobody yet: heddle pair --data ${visibleText(directory)}`;
}

function rowsOf(peers: readonly PeerRow[]): readonly Line[] {
  const rows = peers.map((peer) => {
    // Why it waits is for logs.
    const state = peer.state === "breaker-open" ? "waiting" : peer.state;
    return [shownName(peer.device), state, peer.addresses[0] ?? "–", exchangeOf(peer)];
  });
  const heads = ["device", "state", "address", "exchange"];
  const [head = "", ...table] = textTable(heads, rows).split("\n");
  const body = table.flatMap((text, index): Line[] => {
    const { state, exchange, claims } = peers[index]!;
    if (claims) return [{ text }, { text: `  ${claimText(claims)}`, style: "yellow" }];
    if (typeof exchange === "object") return [{ text }, { text: `  ${progressText(exchange)}` }];
    return [state === "connected" ? { text } : { text, style: "dim" }];
  });
  return [{ text: head, style: "dim" }, ...body];
}

/** Why a device is refused that was paired, and what can be done. */
export function claimText(claims: StoreHolder): string {
  const whose = claims === "this device" ? claims : shownName(claims);
  return `refused: it claims the store of ${whose}; heddle peers --revoke one that was replaced`;
}

function exchangeOf({ exchange }: PeerRow): string {
  if (typeof exchange === "object") return exchange.isFirst ? "first sync" : "under way";
  return exchange === "done" ? "up to date" : (exchange ?? "");
}

/** The token itself is nothing for a screen that others may see. */
export function tokenHint({ tokenFile }: { readonly tokenFile: string | undefined }): string {
  return tokenFile === undefined ? "" : `, with the token in ${tokenFile}`;
}

export function shownName({ name, fingerprint }: LanPeerView["device"]): string {
  return `${visibleText(name)} (${shortFingerprint(fingerprint)})`;
}
