import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

import { repositoryFolder } from "./relay-process.ts";

/** The blocks of code in one section of a page of this repository, as they are printed. */
export async function codeIn(page: string, heading: string, language = "js"): Promise<string[]> {
  const text = await readFile(path.join(repositoryFolder, page), "utf8");
  const section = text.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const blocks = section.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"));
  return [...blocks].map(([, code]) => code!);
}

/** A program as a reader would save it: among the installed packages, with a folder of its own to run in. */
export class SavedProgram implements AsyncDisposable {
  readonly file: string;
  /** Where it runs, and where its data is. */
  readonly folder: string;

  private constructor(file: string, folder: string) {
    this.file = file;
    this.folder = folder;
  }

  static async save(code: string, name = "program.mjs"): Promise<SavedProgram> {
    const results = path.join(repositoryFolder, "test-results");
    await mkdir(results, { recursive: true });
    const file = path.join(await mkdtemp(path.join(results, "program-")), name);
    await writeFile(file, code);
    return new SavedProgram(file, await mkdtemp(path.join(tmpdir(), "heddle-program-")));
  }

  /** In a process of its own, to its end; what it printed. @throws Error when it fails. */
  async run(environment: Readonly<Record<string, string>> = {}): Promise<string> {
    const env = { ...process.env, ...environment };
    const run = promisify(execFile)(process.execPath, [this.file], { cwd: this.folder, env });
    return (await run).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(path.dirname(this.file), { recursive: true, force: true });
    await rm(this.folder, { recursive: true, force: true });
  }
}
