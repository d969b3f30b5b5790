import * as fc from "fast-check";
import { expect, test } from "vitest";

import { ReceiveCredit, SendCredit } from "./flow-credit.ts";

const windowBytes = 1_000;

/** What happens to each frame of data, and to the CREDIT that may follow it. */
const deliveries = fc.array(
  fc.record({
    bytes: fc.integer({ min: 1, max: 400 }),
    isLost: fc.boolean(),
    isCreditLost: fc.boolean(),
  }),
  { minLength: 50, maxLength: 200 },
);

test("[WIR-7] credit bounds what a reader holds, and survives lost frames", () => {
  fc.assert(
    fc.property(deliveries, (deliveries) => {
      const sender = new SendCredit(windowBytes);
      const reader = new ReceiveCredit(windowBytes);
      for (const { bytes, isLost, isCreditLost } of deliveries) {
        if (!sender.isOpen) {
          // A PING says what was sent, its answer repeats the grant.
          reader.observeSent(sender.sentBytes);
          reader.takeGrant();
          sender.grant(reader.saidBytes);
          expect(sender.isOpen).toBe(true);
        }
        sender.spend(bytes);
        if (isLost) continue;
        expect(reader.receive(bytes)).toBe(true);
        reader.done(bytes);
        const grant = reader.takeGrant();
        if (grant !== undefined && !isCreditLost) sender.grant(grant);
      }
    }),
  );
});

test("[WIR-7] a reader that is not done grants nothing, and notices who sends all the same", () => {
  const sender = new SendCredit(windowBytes);
  const reader = new ReceiveCredit(windowBytes);
  const allowed: boolean[] = [];
  for (let count = 0; count < 25; count++) {
    if (sender.isOpen) sender.spend(100);
    allowed.push(reader.receive(100));
    expect(reader.takeGrant()).toBeUndefined();
  }
  expect(sender.sentBytes).toBe(windowBytes);
  expect(allowed.indexOf(false)).toBe(20);
});
