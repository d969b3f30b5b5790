import { expect, test } from "vitest";

import { codeIn, SavedProgram } from "../processes/markdown-program.ts";

// Goal: what the README shows works as it stands there.
// Method: run it in a process of its own, twice over one folder, with the packages as they were built.
test("[LIV-6] the README's way to embed a replica runs as it is printed", async () => {
  const [code = ""] = await codeIn("README.md", "Embed it");
  expect(code).toContain("openReplica");
  await using program = await SavedProgram.save(code);
  const once = "Imported: on disk, ";
  expect(await program.run()).toBe(`saved ${once}\n`);
  expect(await program.run()).toBe(`saved ${once}${once}\n`);
});
