/** What a command may touch of the terminal: results on `out`, everything else on `err`. */
export interface CommandIo {
  out(line: string): void;
  err(line: string): void;
  /** True when `err` is a terminal that a person watches. */
  readonly isTTY: boolean;
  /** Its width and height at this moment, where it is a terminal. */
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  /** It shows colours, and whoever watches wants them (NO_COLOR). */
  readonly hasColors?: boolean;
}
