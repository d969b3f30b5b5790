/** What may wait in one document (DOC-6), and for how long before somebody hears of it (DOC-10). */
export interface ParkingBounds {
  readonly updatesMax: number;
  /** On disk; in memory each Yjs client of an update counts some more. */
  readonly bytesMax: number;
  /** An honest gap is closed within seconds: by then its sender has gone, or never meant to. */
  readonly oldMs: number;
}

/** What may wait for what it depends on, when nothing else is said. */
export const defaultParkingBounds: ParkingBounds = {
  updatesMax: 1_024,
  bytesMax: 16 * 1024 * 1024,
  oldMs: 5 * 60_000,
};

/** What a place in the index of waiting updates takes of memory, about; it counts as bytes. */
export const waitingPlaceBytes = 256;
