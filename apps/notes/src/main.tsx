import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { keepPage } from "./offline/keep-page.ts";
import { OpenDocuments } from "./open-documents.ts";
import { relayAddress } from "./relay-address.ts";

const documents = new OpenDocuments(relayAddress(location));

// The browser asks before it closes a window whose edits are nowhere else.
addEventListener("beforeunload", (event) => {
  if (documents.hasUnsavedEdits()) event.preventDefault();
});

const root = document.getElementById("app");
if (root === null) throw new Error("index.html has no #app");
createRoot(root).render(
  <StrictMode>
    <App documents={documents} />
  </StrictMode>,
);

void keepPage();
