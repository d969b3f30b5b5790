import { constants } from "node:buffer";
import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

import { HeddleError, HeddleErrorCode } from "@heddle/core";

import { parseTrace } from "./parse-trace.ts";
import type { Trace } from "./trace.ts";

/** A trace of 260,000 transactions inflates to 25 MB; beyond this a file is a bomb, not a trace. */
const inflatedBytesMax = Math.min(512 * 1024 * 1024, constants.MAX_STRING_LENGTH);

/**
 * Loads `<name>.json.gz`, or the same not compressed.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for whatever is wrong with the file.
 */
export async function readTraceFile(path: string, bytesMax = inflatedBytesMax): Promise<Trace> {
  const name = basename(path)
    .replace(/\.gz$/, "")
    .replace(/\.json$/, "");
  let json: unknown;
  try {
    const bytes = await inflate(await readBounded(path, bytesMax), bytesMax);
    json = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new HeddleError(HeddleErrorCode.configInvalid, `cannot read the trace ${path}: ${why}`, {
      cause,
    });
  }
  return parseTrace(json, name);
}

async function readBounded(path: string, bytesMax: number): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > bytesMax) throw new RangeError(`larger than ${bytesMax} bytes`);
  return await readFile(path);
}

async function inflate(bytes: Buffer, bytesMax: number): Promise<Buffer> {
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!isGzip) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: bytesMax });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_BUFFER_TOO_LARGE") throw cause;
    throw new RangeError(`inflates to more than ${bytesMax} bytes`, { cause });
  }
}
