// A page that writes through HeddleProvider, as an application would.
import { HeddleProvider, importYIndexeddb, type Saved } from "@heddle/client";
import { IndexeddbPersistence } from "y-indexeddb";
import * as Y from "yjs";

const errors: string[] = [];
const suspensions: string[] = [];
/** With which words the other side ended a connection. */
const closes: string[] = [];
let provider: HeddleProvider;
let typing: ReturnType<typeof setInterval> | undefined;
let typed = 0;
let persistence: IndexeddbPersistence | undefined;

/** What a person at the page could see. */
function view() {
  const { doc, saved, outbox, synced, wsconnected, persisted, storeError } = provider;
  const text = doc.getText("text").toJSON();
  const { pending } = outbox;
  return { text, saved, pending, synced, wsconnected, persisted, errors, store: storeError?.code };
}

const page = {
  /** @param genesis of the space, as numbers. */
  open(
    url: string,
    room: string,
    hasYIndexeddb = false,
    params = {},
    genesis?: readonly number[],
  ): void {
    const ydoc = new Y.Doc();
    if (hasYIndexeddb) persistence = new IndexeddbPersistence(room, ydoc);
    const space = genesis && { genesis: Uint8Array.from(genesis) };
    provider = new HeddleProvider(url, room, ydoc, { params, ...space });
    provider.on("failed", (error) => errors.push(String(error)));
    provider.on("suspended", (error) => suspensions.push(error.code));
    provider.on("closed", ({ code, reason }) => closes.push(`${code} ${reason}`));
    provider.on("refused", (event) => errors.push(JSON.stringify(event)));
  },
  view,
  closes: (): string[] => closes,
  membership: () => provider.membership(),
  /** What the application has seen of `suspended`. */
  suspensions: (): string[] => suspensions,
  /** Whether the page came out of the back-forward cache. */
  wasKept: (): boolean => wasKept,
  /** As in a page that is about to be ended or frozen: no timer runs any more. */
  stopTimers(): void {
    Object.assign(globalThis, { setTimeout: () => 0 });
  },
  hide(name: "visibilitychange" | "pagehide" | "freeze"): void {
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    const target = name === "pagehide" ? globalThis : document;
    target.dispatchEvent(new Event(name));
  },
  show(): void {
    Object.defineProperty(document, "visibilityState", { value: "visible", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  },
  sentBytes: (): number => provider.outbox.bytes,
  whenLoaded: async (): Promise<string> => {
    await provider.whenLoaded();
    return view().text;
  },
  whenPersisted: async (): Promise<void> => void (await persistence?.whenSynced),
  /** As an application that used y-indexeddb before has left it. */
  async fillYIndexeddb(name: string, texts: readonly string[]): Promise<void> {
    const ydoc = new Y.Doc();
    const before = new IndexeddbPersistence(name, ydoc);
    await before.whenSynced;
    const shared = ydoc.getText("text");
    for (const text of texts) shared.insert(shared.length, text);
    shared.delete(0, 1);
    await before.destroy();
  },
  async spoilYIndexeddb(name: string): Promise<void> {
    const persisted = new IndexeddbPersistence(name, new Y.Doc());
    await persisted.whenSynced;
    const { db } = persisted as unknown as { readonly db: IDBDatabase };
    const transaction = db.transaction("updates", "readwrite");
    transaction.objectStore("updates").add(Uint8Array.of(7, 7, 7));
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    await persisted.destroy();
  },
  importYIndexeddb: (name?: string) => importYIndexeddb(provider, name ? { name } : {}),
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

let wasKept = false;
addEventListener("pageshow", ({ persisted }) => {
  wasKept = persisted;
});

export type ProviderPage = typeof page;
Object.assign(globalThis, { page, isReady: true });
