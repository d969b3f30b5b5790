import { parseUpdate } from "@heddle/document";
import { expect, test } from "vitest";

import { AuditTail, auditAfter } from "./audit-tail.ts";
import { nestedArrays } from "./hostile.fixture.ts";
import { LogSize } from "./log-size.ts";

test("[DOC-9] the deeper types are nested already, the fewer more may come untried", () => {
  const tail = new AuditTail(new LogSize());
  const add = (types: number): boolean => {
    tail.add([], nestedArrays(1, types).map(parseUpdate));
    return tail.isDue;
  };
  expect(add(auditAfter.types - 1)).toBe(false);
  expect(add(1)).toBe(true);
  tail.take();
  tail.sound(250);
  expect(add(5)).toBe(false);
  expect(add(1)).toBe(true);
});
