import * as encoding from "lib0/encoding";

/** What clients send, as a stock provider writes it. */
export function step1(stateVector: Uint8Array): Uint8Array {
  return sync(0, stateVector);
}

export function step2(update: Uint8Array): Uint8Array {
  return sync(1, update);
}

export function update(bytes: Uint8Array): Uint8Array {
  return sync(2, bytes);
}

export interface Presence {
  readonly client: number;
  readonly clock: number;
  readonly state: unknown;
}

export function awareness(clients: readonly Presence[]): Uint8Array {
  const body = encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, clients.length);
    for (const { client, clock, state } of clients) {
      encoding.writeVarUint(encoder, client);
      encoding.writeVarUint(encoder, clock);
      encoding.writeVarString(encoder, JSON.stringify(state));
    }
  });
  return awarenessOf(body);
}

export function awarenessOf(body: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, 1);
    encoding.writeVarUint8Array(encoder, body);
  });
}

export const queryAwareness = Uint8Array.of(3);
export const emptyVector = Uint8Array.of(0);

function sync(type: number, body: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, 0);
    encoding.writeVarUint(encoder, type);
    encoding.writeVarUint8Array(encoder, body);
  });
}
