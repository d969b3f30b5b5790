import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A way to a server that can be shut: what is open breaks, and nobody gets in. */
export class Door implements AsyncDisposable {
  readonly url: string;
  readonly #target: URL;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  #server: Server;

  private constructor(target: URL, server: Server) {
    this.#target = target;
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    this.url = `ws://127.0.0.1:${this.#port}`;
    server.on("connection", (socket) => this.#pass(socket));
  }

  static async to(url: string): Promise<Door> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Door(new URL(url), server);
  }

  async shut(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async open(): Promise<void> {
    this.#server = createServer((socket) => this.#pass(socket)).listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.shut();
  }

  #pass(inner: Socket): void {
    const outer = connect(Number(this.#target.port), this.#target.hostname);
    for (const socket of [inner, outer]) {
      this.#sockets.add(socket);
      // Either end may break; the other is told by its end.
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        inner.destroy();
        outer.destroy();
      });
    }
    inner.pipe(outer).pipe(inner);
  }
}
