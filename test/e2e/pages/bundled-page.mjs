// What an application is at its smallest, for bundlers with nothing set.
import { HeddleProvider } from "@heddle/client";
import * as Y from "yjs";

const ydoc = new Y.Doc();
const text = ydoc.getText("text");
const relay = new URLSearchParams(location.search).get("relay");
const provider = new HeddleProvider(relay, "bundled", ydoc);
provider.on("failed", (error) => console.error(String(error)));

text.observe(() => {
  document.title = text.toString();
});
globalThis.page = { type: (typed) => text.insert(text.length, typed), state: () => provider.saved };
globalThis.isReady = true;
