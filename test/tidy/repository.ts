import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The repository as it would be committed, read once: paths with `/`, relative to its root. */
const root = fileURLToPath(new URL("../..", import.meta.url));

export const files: readonly string[] = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard", "-z"],
  { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
)
  .split("\0")
  .filter((file) => file !== "" && existsSync(path.join(root, file)))
  .toSorted();

const contents = new Map<string, string>();

export function read(file: string): string {
  const known = contents.get(file);
  if (known !== undefined) return known;
  const text = readFileSync(path.join(root, file), "utf8");
  contents.set(file, text);
  return text;
}

export function isCode(file: string): boolean {
  return /\.(ts|tsx|mts|js|mjs|cjs)$/.test(file);
}

/** Tests, and what only tests use: never part of what a user runs. */
export function isTest(file: string): boolean {
  return /\.(test|fixture|bench)\.tsx?$/.test(file) || file.startsWith("test/");
}

export interface Manifest {
  readonly name?: string;
  readonly license?: string;
  readonly type?: string;
  readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** A folder with a `package.json`; the root is the one whose `directory` is empty. */
export interface Workspace {
  readonly directory: string;
  readonly manifest: Manifest;
}

export const workspaces: readonly Workspace[] = files
  .filter((file) => path.basename(file) === "package.json")
  .map((file) => {
    const directory = file === "package.json" ? "" : path.dirname(file);
    return { directory, manifest: JSON.parse(read(file)) as Manifest };
  });

export const rootWorkspace = workspaces.find(({ directory }) => directory === "")!;

export const packages = workspaces.filter(({ directory }) => directory.startsWith("packages/"));

export function workspaceOf(file: string): Workspace {
  return workspaces.find(({ directory }) => file.startsWith(`${directory}/`)) ?? rootWorkspace;
}

export interface Import {
  readonly file: string;
  readonly line: number;
  readonly specifier: string;
}

/** Static, dynamic and re-exporting imports, and `require`, of all code. Comments do not count. */
export function importsOf(file: string): Import[] {
  const text = withoutComments(read(file));
  const patterns = [
    /^[ \t]*(?:import|export)\b[^;"'`]*?\bfrom\s*(["'])([^"'\n]+)\1/gm,
    /^[ \t]*import\s*(["'])([^"'\n]+)\1/gm,
    /\b(?:import|require|require\.resolve|import\.meta\.resolve)\(\s*(["'])([^"'\n]+)\1/g,
  ];
  return patterns.flatMap((pattern) => {
    return [...text.matchAll(pattern)].map((match) => {
      const line = text.slice(0, match.index + match[0].length).split("\n").length;
      return { file, line, specifier: match[2]! };
    });
  });
}

/** `@scope/name` of `@scope/name/deep`, `node:*` of Node's own modules, `undefined` of a path or `#name`. */
export function packageOf(specifier: string): string | undefined {
  if (/^[./#]/.test(specifier)) return undefined;
  if (specifier.startsWith("node:") || builtinModules.includes(specifier)) return "node:*";
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** The same text with comments blanked, so that lines keep their numbers. */
export function withoutComments(text: string): string {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, " "))
    .replaceAll(/^([ \t]*)\/\/.*$/gm, "$1");
}

/** `file:line: text` of every line that `pattern` finds. */
export function linesWith(file: string, pattern: RegExp, text = read(file)): string[] {
  return text.split("\n").flatMap((line, index) => {
    return pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [];
  });
}
