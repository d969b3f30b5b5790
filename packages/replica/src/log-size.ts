import type { ParsedUpdate } from "@heddle/document";

/** How much a stretch of a document's log holds, in the measures that say what it may cost. */
export class LogSize {
  envelopes = 0;
  bytes = 0;
  structs = 0;
  types = 0;

  addEnvelope(payload: Uint8Array): void {
    this.envelopes++;
    this.bytes += payload.length;
  }

  addUpdate({ runs, typeCount }: ParsedUpdate): void {
    this.types += typeCount;
    for (let index = 0; index < runs.length; index++) this.structs += runs[index]!.structCount;
  }

  reaches(limit: Pick<LogSize, "envelopes" | "bytes" | "structs">, types: number): boolean {
    return (
      this.envelopes >= limit.envelopes ||
      this.bytes >= limit.bytes ||
      this.structs >= limit.structs ||
      this.types >= types
    );
  }
}
