import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Runs a program to its end and gives what it printed. Rejects when it fails. */
export async function runProgram(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args);
  return stdout;
}
