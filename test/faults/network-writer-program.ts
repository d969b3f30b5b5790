import { createInterface } from "node:readline";

import { connectStock } from "../interop/stock-providers.ts";

// A stock client that writes items of its own into the list of one document, without a pause while it is told to.
// Arguments: URL of the relay, name of the document, name of the writer.
// Orders, one a line: "write", "rest" (answers how many it has written), "list" (answers all it sees, as JSON).
const [url, name, writer] = process.argv.slice(2);
const client = connectStock({ url: url!, name: name!, version: "3.1.0" });
const list = client.ydoc.getArray<string>("list");
const pauseMs = 100;
let written = 0;
let timer: NodeJS.Timeout | undefined;

function write(): void {
  list.push([`${writer}: ${written}`]);
  written++;
}

for await (const order of createInterface({ input: process.stdin })) {
  if (order === "write") timer = setInterval(write, pauseMs);
  if (order === "rest") {
    clearInterval(timer);
    console.log(written);
  }
  if (order === "list") console.log(JSON.stringify(list.toArray()));
}
process.exit(0);
