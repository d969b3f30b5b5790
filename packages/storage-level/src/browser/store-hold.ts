import { HeddleError, HeddleErrorCode } from "@heddle/core";

import type { WitnessPlace } from "../witness-record.ts";

/** Whether a store is still this page's. Once it is not, nothing of it is written any more. */
export class StoreHold {
  readonly whenLost: Promise<HeddleError>;
  #error: HeddleError | undefined;
  #tell!: (error: HeddleError) => void;

  constructor() {
    this.whenLost = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  lockTaken(): void {
    const message = "another tab has taken the store over, as this one answered nobody";
    this.lose(new HeddleError(HeddleErrorCode.storageLocked, message));
  }

  lose(error: HeddleError): void {
    this.#error ??= error;
    this.#tell(error);
  }

  /** The witness of whoever has the store now is not for us to write. */
  guard(place: WitnessPlace): WitnessPlace {
    return {
      ...place,
      write: async (witness) => {
        if (this.#error) throw this.#error;
        await place.write(witness);
      },
    };
  }
}
