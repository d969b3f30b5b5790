import { describeTransportContract } from "@heddle/testkit";

import { httpSite } from "./http-site.ts";
import { webSocketSite } from "./web-socket-site.ts";

// Goal: every transport owes the protocol the same, and gives it, over what is really there.
// Method: the contract suite of the testkit over real sockets.

describeTransportContract("WebSocket, ws on both sides", webSocketSite, {
  keepsOrder: true,
  // A page cannot ping: the protocol's own PING is for the dialer.
  noticesSilence: ["acceptor"],
});

describeTransportContract("HTTP, fetch and a real server", () => httpSite(), {
  keepsOrder: true,
  noticesSilence: ["dialer", "acceptor"],
});
