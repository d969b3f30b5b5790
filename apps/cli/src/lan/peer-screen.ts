import { stripVTControlCharacters } from "node:util";

import type { CommandIo } from "../command-io.ts";
import { displayWidth } from "./display-width.ts";
import type { PeerPicture, PeerRow } from "./peer-picture.ts";
import { claimText, nobodyYet, peerTable, shownName, tokenHint } from "./peer-table.ts";
import { counted, progressShare, progressText } from "./progress-text.ts";

/**
 * Shows pictures: a table that is drawn over itself where a person watches, a line for each change
 * elsewhere, one object a line when asked for JSON.
 */
export class PeerScreen {
  readonly #io: CommandIo;
  readonly #isJson: boolean;
  /** Cells of each line of the last picture. */
  #drawn: readonly number[] = [];
  #last = "";
  readonly #names = new Map<string, string>();
  readonly #told = new Map<string, string>();
  readonly #tenths = new Map<string, number>();

  constructor(io: CommandIo, isJson: boolean) {
    this.#io = io;
    this.#isJson = isJson;
  }

  show(picture: PeerPicture): void {
    if (this.#isJson) this.#tellJson(picture);
    else if (this.#io.isTTY) this.#draw(picture);
    else this.#tellChanges(picture);
  }

  /** The last words. What was drawn stays. */
  end(): void {
    if (this.#isJson) this.#io.out(JSON.stringify({ event: "peer.stopped" }));
    // Behind the ^C of whoever stopped it.
    else if (this.#io.isTTY) this.#io.err("\nstopped");
    else this.#io.out("stopped");
  }

  #tellJson(picture: PeerPicture): void {
    const peers = picture.peers.map(({ device: { name, fingerprint }, claims, ...peer }) => {
      const holder = typeof claims === "object" ? claims.fingerprint : claims;
      return { name, fingerprint, ...peer, claims: holder };
    });
    const text = JSON.stringify({ event: "peer.state", ...picture, peers });
    if (text !== this.#last) this.#io.out(text);
    this.#last = text;
  }

  #draw(picture: PeerPicture): void {
    const lines = peerTable(picture, this.#io);
    const text = lines.join("\n");
    if (text === this.#last) return;
    // Up to the first line of the last picture, and all below it away.
    const drawn = this.#rowsDrawn();
    this.#io.err((drawn > 0 ? `\u001b[${drawn}A\u001b[J` : "") + text);
    this.#drawn = lines.map((line) => displayWidth(stripVTControlCharacters(line)));
    this.#last = text;
  }

  /** What was drawn before somebody made the terminal narrower is wrapped there now. */
  #rowsDrawn(): number {
    const { columns = Infinity } = this.#io;
    return this.#drawn.reduce((sum, cells) => sum + Math.max(1, Math.ceil(cells / columns)), 0);
  }

  #tellChanges(picture: PeerPicture): void {
    if (this.#told.size === 0) {
      this.#io.out(`heddle peer ${picture.fingerprint} keeps its data in ${picture.directory}`);
      this.#io.out(`listens on port ${picture.port}; stop with Ctrl-C`);
    }
    const { documents, outbox, trouble, pages, peers, directory } = picture;
    const looking = peers.length === 0 ? nobodyYet(directory) : "looks for paired devices";
    // While much is exchanged they change all the time, and progress says it.
    if (!picture.peers.some(({ exchange }) => typeof exchange === "object")) {
      const count = documents === undefined ? "store suspended" : counted(documents, "document");
      this.#tell("documents", count);
      this.#tell("outbox", `not on any other device yet: ${counted(outbox.envelopes, "envelope")}`);
    }
    this.#tell("trouble", trouble ?? looking);
    if (pages) this.#tell("pages", `pages come to ${pages.url}${tokenHint(pages)}`);
    if (pages) this.#tell("open pages", `${counted(pages.open, "page")}, ${pages.refused} refused`);
    for (const peer of picture.peers) {
      const { fingerprint } = peer.device;
      this.#names.set(fingerprint, shownName(peer.device));
      this.#tell(fingerprint, `${shownName(peer.device)}: ${peer.state}`);
      if (peer.claims)
        this.#tell(`${fingerprint} claims`, `${shownName(peer.device)}: ${claimText(peer.claims)}`);
      this.#tellProgress(peer);
    }
    const here = new Set(picture.peers.map(({ device }) => device.fingerprint));
    for (const [fingerprint, name] of this.#names) {
      if (!here.has(fingerprint)) this.#tell(fingerprint, `${name}: no longer trusted`);
    }
  }

  /** A line for each tenth, and one at the end: more would only fill the log. */
  #tellProgress({ device, exchange }: PeerRow): void {
    const { fingerprint } = device;
    if (typeof exchange === "object") {
      const tenth = Math.floor(progressShare(exchange) * 10);
      if (this.#tenths.get(fingerprint) === tenth) return;
      this.#tenths.set(fingerprint, tenth);
      this.#io.out(`${shownName(device)}: ${progressText(exchange)}`);
    } else if (exchange === "done" && this.#tenths.delete(fingerprint)) {
      this.#io.out(`${shownName(device)}: everything is exchanged`);
    }
  }

  #tell(what: string, line: string): void {
    if (this.#told.get(what) === line) return;
    this.#told.set(what, line);
    this.#io.out(line);
  }
}
