export * from "./web-socket-transport.ts";
