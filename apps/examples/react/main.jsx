// npm run react -w apps/examples
//
// The same shopping list with React.
import {
  HeddleRoot,
  useArray,
  useContent,
  useDocument,
  useOutbox,
  useSaved,
  useTrouble,
  useUndo,
} from "@heddle/react";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

const relay = new URLSearchParams(location.search).get("relay") ?? "ws://127.0.0.1:8787";

function ShoppingList() {
  const list = useDocument("shopping"); // undefined in the first rendering
  const items = useArray(list, "items");
  const things = useContent(items) ?? [];
  const { canUndo, undo } = useUndo(list, items);
  const [thing, setThing] = useState("");
  function add(event) {
    event.preventDefault();
    if (thing.trim() !== "") items?.push([thing.trim()]);
    setThing("");
  }
  return (
    <>
      <h1>Shopping list</h1>
      <form onSubmit={add}>
        <input
          aria-label="What to buy"
          placeholder="What to buy"
          value={thing}
          onChange={(event) => setThing(event.target.value)}
        />{" "}
        <button disabled={!items}>Add</button>{" "}
        <button type="button" disabled={!canUndo} onClick={undo}>
          Undo
        </button>
      </form>
      <ul>
        {things.map((name, at) => (
          <li key={at}>{name}</li>
        ))}
      </ul>
      <Status list={list} />
    </>
  );
}

function Status({ list }) {
  const saved = useSaved(list);
  const { pending } = useOutbox(list);
  const trouble = useTrouble(list);
  const here = saved === false ? "saving …" : "saved here";
  const there = pending === 0 ? "nothing to send" : `${pending} to send`;
  return <p role="status">{trouble ? `trouble: ${trouble.kind}` : `${here}, ${there}`}</p>;
}

createRoot(document.getElementById("app")).render(
  <StrictMode>
    <HeddleRoot url={relay}>
      <ShoppingList />
    </HeddleRoot>
  </StrictMode>,
);
