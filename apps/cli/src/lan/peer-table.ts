import { styleText } from "node:util";

import { shortFingerprint, type LanPeerView, type StoreHolder } from "@heddle/lan";

import { formatBytes } from "../format-bytes.ts";
import { visibleText } from "../visible-text.ts";
import { fitDisplay } from "./display-width.ts";
import type { PeerPicture, PeerRow } from "./peer-picture.ts";
import { counted, progressText } from "./progress-text.ts";
import { columnWidths, textTable } from "./text-table.ts";

interface Line {
  readonly text: string;
  readonly style?: "bold" | "dim" | "yellow";
}

/** Of what a table is drawn for. */
export interface TableRoom {
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  readonly hasColors?: boolean | undefined;
}

/**
 * What is drawn for a person, line by line. No line is wider than the terminal, and there are fewer lines than
 * it has: one that is wrapped takes two, and what has left at the top cannot be drawn over.
 */
export function peerTable(
  picture: PeerPicture,
  { columns = Infinity, rows = Infinity, hasColors = false }: TableRoom = {},
): readonly string[] {
  const peers = peersOf(picture, columns);
  const [above, below] = [headOf(picture), footOf(picture)];
  const room = Math.max(1, rows - 1 - above.length - below.length);
  const isTooMany = peers.length > room;
  const shown = isTooMany ? peers.slice(0, room - 1) : peers;
  const more: readonly Line[] = isTooMany
    ? [{ text: "… and more: heddle peers", style: "dim" }]
    : [];
  const lines = [...above, ...shown, ...more, ...below];
  // Of fewer lines than that the last ones say the most.
  return lines.slice(-Math.max(1, rows - 1)).map(({ text, style }) => {
    const fitting = fitDisplay(text, columns);
    return style && hasColors ? styleText(style, fitting, { validateStream: false }) : fitting;
  });
}

function headOf({ directory, fingerprint, port }: PeerPicture): readonly Line[] {
  return [
    { text: `heddle peer  ${fingerprint}  port ${port}`, style: "bold" },
    { text: visibleText(directory), style: "dim" },
    { text: "" },
  ];
}

function peersOf({ peers, directory }: PeerPicture, columns: number): readonly Line[] {
  if (peers.length > 0) return rowsOf(peers, columns);
  return [{ text: `${nobodyYet(directory)}, in another terminal` }];
}

function footOf({ peers, documents, outbox, trouble, pages }: PeerPicture): readonly Line[] {
  const connected = peers.filter(({ state }) => state === "connected").length;
  const stored = documents === undefined ? "–" : counted(documents, "document");
  return [
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

/** Names that are this long are not shortened for the sake of addresses. */
const nameCellsMin = 5;

function rowsOf(peers: readonly PeerRow[], columns: number): readonly Line[] {
  const [head = "", ...table] = tableOf(peers, columns).split("\n");
  const body = table.flatMap((text, index): Line[] => {
    const { state, exchange, claims } = peers[index]!;
    if (claims) return [{ text }, { text: `  ${claimText(claims)}`, style: "yellow" }];
    if (typeof exchange === "object") return [{ text }, { text: `  ${progressText(exchange)}` }];
    return [state === "connected" ? { text } : { text, style: "dim" }];
  });
  return [{ text: head, style: "dim" }, ...body];
}

/** Where it does not fit, long names are shortened; where that is not enough, addresses are left out. */
function tableOf(peers: readonly PeerRow[], columns: number): string {
  const heads = ["device", "state", "address", "exchange"];
  const rows = peers.map((peer) => {
    // Why it waits is for logs.
    const state = peer.state === "breaker-open" ? "waiting" : peer.state;
    return [shownName(peer.device), state, peer.addresses[0] ?? "–", exchangeOf(peer)];
  });
  const withNames = (heads: readonly string[], rows: readonly (readonly string[])[]) => {
    const [, ...others] = columnWidths(heads, rows);
    const cells = columns - others.reduce((sum, width) => sum + 2 + width, 0);
    const named = rows.map(([, ...rest], index) => [
      shortenedName(peers[index]!.device, cells),
      ...rest,
    ]);
    return { text: textTable(heads, named), isFitting: columnWidths(heads, named)[0]! <= cells };
  };
  const { text, isFitting } = withNames(heads, rows);
  if (isFitting) return text;
  return withNames(withoutAddress(heads), rows.map(withoutAddress)).text;
}

function withoutAddress([device = "", state = "", , exchange = ""]: readonly string[]) {
  return [device, state, exchange];
}

/** With all of its fingerprint: two may have one name. */
function shortenedName({ name, fingerprint }: LanPeerView["device"], cells: number): string {
  const rest = ` (${shortFingerprint(fingerprint)})`;
  const room = Math.max(nameCellsMin, cells - rest.length);
  return `${fitDisplay(visibleText(name), room)}${rest}`;
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
