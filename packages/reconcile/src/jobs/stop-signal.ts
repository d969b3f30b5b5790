/** What tells a job to stop. An `AbortSignal` is one; kernels have none of their own. */
export interface StopSignal {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** A job was told to stop; what it had done stays done. */
export class JobStopped extends Error {
  override readonly name = "JobStopped";
}
