import { createSocket } from "node:dgram";
import { generateKeyPairSync } from "node:crypto";
import { connect, createServer } from "node:tls";
import { createInterface } from "node:readline";

import {
  bonjourDiscovery,
  identityOf,
  newLanCounters,
  type RunningDiscovery,
  type Sighting,
} from "@heddle/lan";

// A neighbour that nobody paired. It hears what everybody announces, repeats it as its own words, says goodbye
// in the names of others, sends what is no packet, and knocks at every address with a certificate of its own.
// Orders, one a line: "forge", "counts", "knock host:port" (answers how many bytes it was told), "stop".
const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const identity = identityOf(generateKeyPairSync("ed25519").privateKey);
const key = identity.privateKey.export({ type: "pkcs8", format: "pem" }) as string;
const tls = { key, cert: identity.certificate, rejectUnauthorized: false };
const heard = new Map<string, Sighting>();
const forged: RunningDiscovery[] = [];
let visitors = 0;
let bytesHeard = 0;

const trap = createServer({ ...tls, requestCert: true }, (socket) => {
  visitors++;
  socket.on("data", (chunk: Buffer) => (bytesHeard += chunk.length));
  socket.on("error", () => socket.destroy());
});
trap.on("tlsClientError", (_error, socket) => socket.destroy());
await new Promise<void>((done) => trap.listen(0, done));
const { port } = trap.address() as { readonly port: number };

const discovery = bonjourDiscovery({ clock, counters: newLanCounters() });
const silent = { onSeen: () => undefined, onGone: () => undefined, onTrouble: () => undefined };
const listening = discovery.start(
  { instance: "nobody", port, text: { v: "1" } },
  { ...silent, onSeen: (sighting) => heard.set(sighting.instance, sighting) },
);

/** A goodbye in the name of each, and its words from here. */
async function forge(): Promise<number> {
  const victims = [...heard.values()];
  for (const { instance, text } of victims) {
    const goodbye = discovery.start({ instance, port, text }, silent);
    await goodbye.stop();
    forged.push(discovery.start({ instance: `x${instance}`, port, text }, silent));
  }
  const socket = createSocket("udp4");
  const noise = Array.from({ length: 50 }, (_, index) => Buffer.alloc(index * 20, index * 7));
  for (const packet of noise) socket.send(packet, 5353, "224.0.0.251");
  return victims.length;
}

function knock(host: string, at: number): Promise<number> {
  return new Promise((resolve) => {
    let bytes = 0;
    const socket = connect({ ...tls, host, port: at });
    socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
    socket.on("error", () => socket.destroy());
    socket.on("secureConnect", () => socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    socket.once("close", () => resolve(bytes));
  });
}

console.log("open");
for await (const line of createInterface({ input: process.stdin })) {
  const [order, argument = ""] = line.split(" ");
  if (order === "stop") break;
  const [host = "", at] = argument.split(":");
  const answers: Readonly<Record<string, () => unknown>> = {
    heard: () => [...heard.values()],
    forge,
    counts: () => ({ visitors, bytesHeard, port }),
    knock: () => knock(host, Number(at)),
  };
  console.log(JSON.stringify(await answers[order!]!()));
}
await Promise.all([listening, ...forged].map((each) => each.stop()));
process.exit(0);
