/** What a command may touch of the terminal: results on `out`, everything else on `err`. */
export interface CommandIo {
  out(line: string): void;
  err(line: string): void;
  /** True when `err` is a terminal that a person watches. */
  readonly isTTY: boolean;
  /** Its width at this moment, where it is a terminal. */
  readonly columns?: number | undefined;
}
