import { styleText } from "node:util";

import { shortFingerprint, type LanPeerView } from "@heddle/lan";

import type { CommandIo } from "../command-io.ts";
import { formatBytes } from "../format-bytes.ts";
import { visibleText } from "../visible-text.ts";
import { textTable } from "./text-table.ts";

/** What `heddle peer` knows at one moment. */
export interface PeerPicture {
  readonly directory: string;
  readonly fingerprint: string;
  readonly port: number;
  readonly peers: readonly LanPeerView[];
  /** Undefined while the store is not to be trusted. */
  readonly documents: number | undefined;
  readonly outbox: { readonly envelopes: number; readonly bytes: number };
  readonly trouble: string | undefined;
}

/**
 * Shows pictures: a table that is drawn over itself where a person watches, a line for each change
 * elsewhere, one object a line when asked for JSON.
 */
export class PeerScreen {
  readonly #io: CommandIo;
  readonly #isJson: boolean;
  #drawnLines = 0;
  #last = "";
  readonly #names = new Map<string, string>();
  readonly #told = new Map<string, string>();

  constructor(io: CommandIo, isJson: boolean) {
    this.#io = io;
    this.#isJson = isJson;
  }

  show(picture: PeerPicture): void {
    if (this.#isJson) this.#tellJson(picture);
    else if (this.#io.isTTY) this.#draw(picture);
    else this.#tellChanges(picture);
  }

  #tellJson(picture: PeerPicture): void {
    const peers = picture.peers.map(({ device, state, addresses }) => {
      return { name: device.name, fingerprint: device.fingerprint, state, addresses };
    });
    const text = JSON.stringify({ event: "peer.state", ...picture, peers });
    if (text !== this.#last) this.#io.out(text);
    this.#last = text;
  }

  #draw(picture: PeerPicture): void {
    const lines = linesOf(picture);
    const text = lines.join("\n");
    if (text === this.#last) return;
    // Up to the first line of the last picture, and all below it away.
    const over = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A\u001b[J` : "";
    this.#io.err(over + text);
    this.#drawnLines = lines.length;
    this.#last = text;
  }

  #tellChanges(picture: PeerPicture): void {
    if (this.#told.size === 0) {
      this.#io.out(`heddle peer ${picture.fingerprint} keeps its data in ${picture.directory}`);
      this.#io.out(`listens on port ${picture.port}; stop with Ctrl-C`);
    }
    const { documents, outbox, trouble } = picture;
    this.#tell("documents", documents === undefined ? "store suspended" : `${documents} documents`);
    this.#tell("outbox", `${outbox.envelopes} envelopes wait for other devices`);
    this.#tell("trouble", trouble === undefined ? "looks for paired devices" : trouble);
    for (const { device, state } of picture.peers) {
      this.#names.set(device.fingerprint, nameOf(device));
      this.#tell(device.fingerprint, `${nameOf(device)}: ${state}`);
    }
    const here = new Set(picture.peers.map(({ device }) => device.fingerprint));
    for (const [fingerprint, name] of this.#names) {
      if (!here.has(fingerprint)) this.#tell(fingerprint, `${name}: no longer trusted`);
    }
  }

  #tell(what: string, line: string): void {
    if (this.#told.get(what) === line) return;
    this.#told.set(what, line);
    this.#io.out(line);
  }
}

function linesOf(picture: PeerPicture): readonly string[] {
  const { directory, fingerprint, port, peers, documents, outbox, trouble } = picture;
  const rows = peers.map(({ device, state, addresses }) => {
    return [nameOf(device), state, addresses[0] ?? "–"];
  });
  const [head = "", ...body] = textTable(["device", "state", "address"], rows).split("\n");
  const connected = peers.filter(({ state }) => state === "connected").length;
  const waiting =
    outbox.envelopes === 0
      ? "everything of this device is elsewhere too"
      : `${outbox.envelopes} envelopes (${formatBytes(outbox.bytes)}) wait for other devices`;
  return [
    `${styleText("bold", "heddle peer")}  ${fingerprint}  port ${port}  ${directory}`,
    "",
    ...(peers.length === 0
      ? ["paired with nobody yet: heddle pair, in another terminal"]
      : [styleText("dim", head), ...body]),
    "",
    `${documents ?? "–"} documents · ${connected} of ${peers.length} devices connected · ${waiting}`,
    ...(trouble === undefined ? [] : [styleText("yellow", trouble)]),
    styleText("dim", "stop with Ctrl-C"),
  ];
}

function nameOf({ name, fingerprint }: LanPeerView["device"]): string {
  return `${visibleText(name)} (${shortFingerprint(fingerprint)})`;
}
