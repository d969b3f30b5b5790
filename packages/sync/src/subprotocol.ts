/** What a WebSocket agrees to. The number is that of HELLO, which never changes its meaning. */
export const subprotocol = "heddle.1";
