import { HeddleErrorCode } from "@heddle/core";
import { expect, test } from "vitest";

import { documentOfRoom, serverAddress } from "./server-address.ts";

test("[CLT-1] an address is read as a browser reads that of a WebSocket", () => {
  expect(serverAddress("http://127.0.0.1:1234")).toBe("ws://127.0.0.1:1234");
  expect(serverAddress("https://relay.example/notes//")).toBe("wss://relay.example/notes");
  expect(serverAddress("wss://relay.example")).toBe("wss://relay.example");
  for (const text of ["", "nonsense", "/relative", "ftp://relay.example", "ws://a#b"]) {
    const { configInvalid: code } = HeddleErrorCode;
    expect(() => serverAddress(text)).toThrow(expect.objectContaining({ code }));
  }
});

test("[CLT-1] a room is the document that an address with it has, and one that encodes nothing is taken as it is", () => {
  const rooms = ["meeting", "a b", "a%20b", "team%2Fplan", "100%", "日記"];
  expect(rooms.map((room) => documentOfRoom(room))).toEqual([
    "meeting",
    "a b",
    "a b",
    "team/plan",
    "100%",
    "日記",
  ]);
  const { frameMalformed: code } = HeddleErrorCode;
  expect(() => documentOfRoom("%00")).toThrow(expect.objectContaining({ code }));
});
