export * from "./broadcast-channel-transport.ts";
export * from "./http-transport.ts";
export * from "./web-socket-transport.ts";
