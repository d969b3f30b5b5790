import { once } from "node:events";
import { Socket } from "node:net";

import { HeddleErrorCode } from "@heddle/core";
import { protocolVersion, encodeFrame, PeerRole, subprotocol, type Connection } from "@heddle/sync";
import { describeTransportContract, type TransportSite } from "@heddle/testkit";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";

import { LanSite, MuteServer, newIdentity, pairedWith } from "./lan-site.fixture.ts";

// Goal: connections between paired devices are connections like any other; nobody else gets a byte.
// Method: the contract of transports, and attackers, against a real listener on loopback.

// A machine that is busy stands still for a second now and then.
const silenceMs = 2_000;

describeTransportContract("LAN, mutual TLS 1.3", contractSite, {
  keepsOrder: true,
  noticesSilence: ["dialer", "acceptor"],
});

async function contractSite(): Promise<TransportSite> {
  const site = await LanSite.open({ silenceMs });
  const mute = await MuteServer.start();
  const silenced = new Map<string, WebSocket>();
  const accept = async (): Promise<Connection> => {
    await vi.waitFor(() => expect(site.arrivals.length).toBeGreaterThan(0), 30_000);
    return site.arrivals.shift()!.connection;
  };
  const remembering = rememberSockets(silenced);
  return {
    transport: site.transport({ silenceMs }),
    unreachable: site.transport({
      addresses: () => [{ host: "127.0.0.1", port: mute.port }],
      dialMsMax: 500,
    }),
    accept,
    async forge(bytes) {
      const { privateKey, certificate } = site.guest;
      const key = privateKey.export({ type: "pkcs8", format: "pem" });
      const socket = site.raw({ key, cert: certificate });
      await new Promise((done) => socket.once("secureConnect", done));
      const forger = new WebSocket("ws://x/", [subprotocol], { createConnection: () => socket });
      forger.on("error", () => forger.terminate());
      await new Promise((done) => forger.once("open", done));
      forger.send(bytes);
      return accept();
    },
    // A stopped process neither reads nor answers; its kernel keeps the connection.
    silence: (side) => silenced.get(side)?.pause(),
    leftovers: () => [
      ...Array.from({ length: site.scheduler.pending }, () => "timer"),
      ...Array.from({ length: site.openSockets }, () => "socket"),
    ],
    async dispose() {
      remembering.mockRestore();
      await mute.close();
      await site.dispose();
    },
  };
}

/** The newest socket of each side: pings come from `ws` itself, so only it can be made silent. */
function rememberSockets(sockets: Map<string, WebSocket>) {
  const { on } = WebSocket.prototype;
  return vi.spyOn(WebSocket.prototype, "on").mockImplementation(function (
    this: WebSocket,
    ...args: Parameters<typeof on>
  ) {
    const isServer = Reflect.get(this, "_isServer") === true;
    sockets.set(isServer ? "acceptor" : "dialer", this);
    return on.apply(this, args);
  });
}

describe("a listener", () => {
  let site: LanSite;
  beforeEach(async () => {
    site = await LanSite.open({ handshakeMsMax: 500 });
  });
  afterEach(() => site.dispose());

  /** What a neighbour gets to read when it says what a peer would, or asks for a page as `heddle doctor` does. */
  async function bytesTo(
    options: object,
    request: "upgrade" | "page" = "upgrade",
  ): Promise<number> {
    const socket = site.raw(options);
    let received = 0;
    socket.on("data", (chunk: Buffer) => (received += chunk.length));
    socket.on("secureConnect", () => {
      if (request === "page") return socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      const lines = ["GET / HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: websocket"];
      const more = ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="];
      const protocol = [`Sec-WebSocket-Protocol: ${subprotocol}`, "", ""];
      return socket.write([...lines, ...more, ...protocol].join("\r\n"));
    });
    await new Promise((done) => socket.once("close", done));
    return received;
  }

  test("[LAN-1] lets a paired device in, and knows which", async () => {
    expect(await bytesToPaired()).toBeGreaterThan(0);
    expect(site.arrivals.map(({ device }) => device)).toEqual([pairedWith(site.guest)]);

    async function bytesToPaired(): Promise<number> {
      const connection = await site.transport().dial(new AbortController().signal);
      const heard = new Promise<number>((resolve) => {
        connection.listen({
          onMessage: ({ length }) => resolve(length),
          onDrain: () => undefined,
          onClosed: () => resolve(0),
        });
      });
      await vi.waitFor(() => expect(site.arrivals).toHaveLength(1));
      site.arrivals[0]!.connection.send(Uint8Array.of(1, 2, 3));
      const length = await heard;
      connection.close(HeddleErrorCode.sessionClosed);
      return length;
    }
  });

  test.each([
    ["without a certificate", () => ({})],
    ["that nobody paired", () => tlsOf(newIdentity())],
    ["that speaks TLS 1.2", () => ({ ...tlsOf(site.guest), maxVersion: "TLSv1.2" })],
  ])("[LAN-1] tells a device %s nothing", async (_who, options) => {
    expect(await bytesTo(options())).toBe(0);
    // Not even that this is heddle, or what its clock says.
    expect(await bytesTo(options(), "page")).toBe(0);
    await vi.waitFor(() => expect(site.openSockets).toBe(0));
    expect(site.arrivals).toEqual([]);
    const { strangersRefused, handshakesFailed } = site.counters;
    expect(strangersRefused + handshakesFailed).toBe(2);
  });

  test("[LAN-1] a stolen certificate without its key is no identity", async () => {
    const stolen = { ...tlsOf(newIdentity()), cert: site.guest.certificate };
    expect(() => site.raw(stolen)).toThrow();
  });

  test("[LAN-2] a revoked device gets nothing, with a session of better days neither", async () => {
    const socket = site.raw(tlsOf(site.guest));
    const [session] = (await once(socket, "session")) as [Buffer];
    socket.destroy();
    // Nor does a session stand in for the certificate.
    expect(await bytesTo({ session })).toBe(0);
    await site.paired.revoke(site.guest.fingerprint, 1_700_000_000_001);
    expect(await bytesTo(tlsOf(site.guest))).toBe(0);
    expect(await bytesTo({ ...tlsOf(site.guest), session })).toBe(0);
    expect(site.counters.strangersRefused).toBe(3);
  });

  test("[LAN-1] a dialer says nothing to whoever is not the device that it looks for", async () => {
    const other = newIdentity();
    const wrong: (string | undefined)[] = [];
    const transport = site.transport({
      expected: other.fingerprint,
      onWrongDevice: (_address, shown) => wrong.push(shown),
    });
    const dialed = transport.dial(new AbortController().signal);
    await expect(dialed).rejects.toMatchObject({ code: HeddleErrorCode.sessionClosed });
    expect(wrong).toEqual([site.host.fingerprint]);
    expect(site.arrivals).toEqual([]);
  });

  test("[LAN-3] a paired device cannot pass on the greeting of another one", async () => {
    const connection = await site.transport().dial(new AbortController().signal);
    await vi.waitFor(() => expect(site.arrivals).toHaveLength(1));
    const heard: string[] = [];
    site.arrivals[0]!.connection.listen({
      onMessage: () => heard.push("message"),
      onDrain: () => undefined,
      onClosed: ({ code }) => heard.push(code),
    });
    connection.listen({
      onMessage: () => undefined,
      onDrain: () => undefined,
      onClosed: ({ code }) => heard.push(`dialer ${code}`),
    });
    // Something that a reader may skip comes first.
    connection.send(Uint8Array.of(0x7f));
    connection.send(helloOf(newIdentity().publicKey));
    await vi.waitFor(() => {
      const refused = HeddleErrorCode.sessionRefused;
      expect(heard.toSorted()).toEqual([refused, `dialer ${refused}`, "message"].toSorted());
    });
  });

  test("[LAN-4] cuts off who says nothing in time, and whoever brings too many sockets", async () => {
    const sockets = Array.from({ length: 20 }, () => new Socket().connect(site.port, "127.0.0.1"));
    await Promise.all(sockets.map((socket) => new Promise((done) => socket.once("close", done))));
    await vi.waitFor(() => {
      expect(site.counters).toMatchObject({ socketsDropped: 4, handshakesFailed: 16 });
    });
    expect(site.openSockets).toBe(0);
  });
});

function helloOf(devicePublicKey: Uint8Array): Uint8Array {
  return encodeFrame({
    name: "hello",
    versionMin: protocolVersion.floor,
    versionMax: protocolVersion.newest,
    features: 0,
    space: "00".repeat(16) as never,
    store: "11".repeat(16) as never,
    incarnation: new Uint8Array(16).fill(1),
    devicePublicKey,
    nonce: new Uint8Array(32).fill(2),
    frameBytesMax: 256 * 1024,
    creditBytes: 1024 * 1024,
    role: PeerRole.replica,
    engine: "a test",
  });
}

function tlsOf({ privateKey, certificate }: ReturnType<typeof newIdentity>) {
  return { key: privateKey.export({ type: "pkcs8", format: "pem" }), cert: certificate };
}
