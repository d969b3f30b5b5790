import type { Finding } from "./finding.ts";

/** More than anybody reads; a store of zeros has one for each block. */
const findingsMax = 1000;

/** What a salvage found, of which it keeps so many, and counts the rest. */
export class SalvageFindings {
  readonly list: Finding[] = [];
  /** Findings of severity `damage`, those that are not kept among them. */
  damages = 0;
  notices = 0;

  add(finding: Finding): void {
    if (finding.severity === "damage") this.damages++;
    else this.notices++;
    if (this.list.length < findingsMax) this.list.push(finding);
  }

  damage(part: Finding["part"], what: string, file?: string): void {
    this.add({ severity: "damage", part, what, ...(file !== undefined && { file }) });
  }

  notice(part: Finding["part"], what: string, file?: string): void {
    this.add({ severity: "notice", part, what, ...(file !== undefined && { file }) });
  }
}
