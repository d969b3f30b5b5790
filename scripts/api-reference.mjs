// `npm run docs:api`: a page for each public package in docs/api, from the docstrings of what it exports.
//
//   npm run docs:api                        writes docs/api
//   npm run docs:api -- --to FOLDER --json  elsewhere, and says what is there: [{ page, name, kind, doc, from }]
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";

import { apiPage, indexPage } from "./api-page.mjs";
import { exportsOf } from "./api-exports.mjs";
import { root } from "./prepare.mjs";

const { values } = parseArgs({ options: { to: { type: "string" }, json: { type: "boolean" } } });
/** What an application may import. Of the kernel only what reaches its catch clauses. */
const pages = [
  { file: "client.md", specifier: "@heddle/client" },
  { file: "react.md", specifier: "@heddle/react" },
  { file: "replica.md", specifier: "@heddle/replica" },
  { file: "replica-node.md", specifier: "@heddle/replica/node" },
  { file: "storage-level.md", specifier: "@heddle/storage-level" },
  { file: "storage-level-browser.md", specifier: "@heddle/storage-level/browser" },
  { file: "errors.md", specifier: "@heddle/core", only: /^(?:isHeddleError|HeddleError.*)$/ },
  { file: "testkit.md", specifier: "@heddle/testkit" },
].map(({ file, specifier, only = /./ }) => {
  const found = exportsOf(specifier).filter(({ name }) => only.test(name));
  return { file, specifier, exports: found.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
});

const folder = path.resolve(values.to ?? path.join(root, "docs", "api"));
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const page of pages) writeFileSync(path.join(folder, page.file), apiPage(page));
const { version } = JSON.parse(readFileSync(path.join(root, "apps/cli/package.json"), "utf8"));
writeFileSync(path.join(folder, "README.md"), indexPage(pages, version));
const all = pages.flatMap(({ file, exports }) => {
  return exports.map(({ name, kind, doc, from }) => ({ page: file, name, kind, doc, from }));
});
if (values.json) console.log(JSON.stringify(all));
else console.log(`${all.length} exports on ${pages.length} pages in ${folder}`);
