// What a transport is made of, without the machine that speaks over it.
export * from "./bye-code.ts";
export * from "./close-words.ts";
export * from "./dial-attempt.ts";
export * from "./frame-connection.ts";
export * from "./http-wire.ts";
export * from "./signs-of-life.ts";
// Of the machine's own greeting it would bring every frame along.
export * from "./subprotocol.ts";
export * from "./transport.ts";
export * from "./wire-limits.ts";
