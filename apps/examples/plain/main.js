// npm run plain -w apps/examples
//
// A shopping list without a framework. It works offline, in several tabs, and says where things are.
import { HeddleProvider } from "@heddle/client";
import * as Y from "yjs";

const relay = new URLSearchParams(location.search).get("relay") ?? "ws://127.0.0.1:8787";
const ydoc = new Y.Doc();
const provider = new HeddleProvider(relay, "shopping", ydoc);
const items = ydoc.getArray("items");

const form = document.querySelector("form");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const thing = form.elements.thing.value.trim();
  if (thing !== "") items.push([thing]);
  form.reset();
});

items.observe(() => {
  const rows = items.map((thing) => {
    const row = document.createElement("li");
    row.textContent = thing;
    return row;
  });
  document.querySelector("ul").replaceChildren(...rows);
});

const status = document.querySelector("[role=status]");
function tell() {
  const { pending } = provider.outbox;
  // Also false while the store is not open yet.
  const here = provider.saved === false ? "saving …" : "saved here";
  const there = pending === 0 ? "nothing to send" : `${pending} to send`;
  status.textContent = `${here}, ${there}`;
}
tell();
provider.on("saved", tell);
provider.on("outbox", tell);
provider.on("failed", (error) => (status.textContent = `cannot be saved: ${error.code}`));
provider.on("suspended", (error) => (status.textContent = `cannot be saved now: ${error.code}`));
provider.on("reset", () => location.reload()); // what was refused is in the event `refused`
