// A page that writes through HeddleProvider, as an application would.
import { HeddleProvider, type Saved } from "@heddle/client";
import * as Y from "yjs";

const errors: string[] = [];
let provider: HeddleProvider;
let typing: ReturnType<typeof setInterval> | undefined;
let typed = 0;

/** What a person at the page could see. */
function view() {
  const { doc, saved, outbox, synced, wsconnected } = provider;
  const text = doc.getText("text").toJSON();
  return { text, saved, pending: outbox.pending, synced, wsconnected, errors };
}

const page = {
  open(url: string, room: string): void {
    provider = new HeddleProvider(url, room, new Y.Doc());
    provider.on("failed", (error) => errors.push(String(error)));
    provider.on("refused", (event) => errors.push(JSON.stringify(event)));
  },
  view,
  type(text: string): void {
    const shared = provider.doc.getText("text");
    shared.insert(shared.length, text);
  },
  setOnline(isOnline: boolean): void {
    if (isOnline) provider.connect();
    else provider.disconnect();
  },
  /** Counts aloud, ten numbers a second, and says what is saved as soon as it is. */
  startCounting(say: (saved: string, tier: Saved) => void, name: string): void {
    let told = "";
    const tell = (): void => {
      if (provider.saved === false) return;
      const own = provider.doc.getText("text").toJSON();
      if (own !== told) say((told = own), provider.saved);
    };
    provider.on("saved", tell);
    typing = setInterval(() => page.type(`${name}${++typed} `), 15);
  },
  stopCounting(): void {
    clearInterval(typing);
  },
};

export type ProviderPage = typeof page;
Object.assign(globalThis, { page, isReady: true });
