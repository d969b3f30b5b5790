import path from "node:path";

import { expect, test } from "vitest";

import { codeIn, SavedProgram } from "../processes/markdown-program.ts";
import { RelayProcess } from "../processes/relay-process.ts";

// Goal: what docs/from-y-websocket.md shows works as it stands there.
// Method: run it in a process of its own against a relay, twice over one folder, with the packages as built.
test("[CLT-1, CLT-2] the program of the page for y-websocket users runs as it is printed", async () => {
  const [code = ""] = await codeIn("docs/from-y-websocket.md", "In Node");
  expect(code).toContain("new HeddleProvider(");
  await using program = await SavedProgram.save(code);
  await using relay = await RelayProcess.start({ data: path.join(program.folder, "relay") });
  const environment = { RELAY_URL: relay.url.replace("http", "ws") };
  const said = /^saved: strict to send: (true|false)\nto send: 0\n$/;
  expect(await program.run(environment)).toMatch(said);
  expect(await program.run(environment)).toMatch(said);
});
