import type { HeddleErrorCode } from "@heddle/core";
import { byeCodeOf, type Connection, type PeerKey } from "@heddle/sync";

/** What became of one connection. */
export interface SessionListener {
  /** Greetings are done and signatures were good. */
  onLive?(): void;
  /** Told once, with what ended it: this side, the peer or the transport. */
  onEnded?(end: SessionEnd): void;
  /** Whether the peer may open one more document of which nothing is here. Yes where it is not said. */
  mayOpenNew?(): boolean;
}

/** Why a session with a peer ended. */
export interface SessionEnd {
  readonly code: HeddleErrorCode;
  /** As on a WebSocket; `isPermanentBye` reads it. */
  readonly closeCode: number;
}

interface Session {
  readonly connection: Connection;
  readonly listener: SessionListener;
}

/** The connections of a host, by the keys that its state machine knows them by. */
export class PeerConnections {
  readonly #sessions = new Map<PeerKey, Session>();
  #nextKey: PeerKey = 1;

  get count(): number {
    return this.#sessions.size;
  }

  has(key: PeerKey): boolean {
    return this.#sessions.has(key);
  }

  /** Each connection gets a key that none had before. */
  add(connection: Connection, listener: SessionListener): PeerKey {
    const key = this.#nextKey++;
    this.#sessions.set(key, { connection, listener });
    return key;
  }

  send(key: PeerKey, bytes: Uint8Array): void {
    this.#sessions.get(key)?.connection.send(bytes);
  }

  mayOpenNew(key: PeerKey): boolean {
    return this.#sessions.get(key)?.listener.mayOpenNew?.() ?? true;
  }

  live(key: PeerKey): void {
    this.#sessions.get(key)?.listener.onLive?.();
  }

  /** The transport is gone: the key is, too. The returned function tells who listens, if anybody. */
  remove(key: PeerKey): (end: SessionEnd) => void {
    const session = this.#take(key);
    return (end) => session?.listener.onEnded?.(end);
  }

  close(key: PeerKey, code: HeddleErrorCode): void {
    const session = this.#take(key);
    session?.connection.close(code);
    session?.listener.onEnded?.(endOf(code));
  }

  closeAll(code: HeddleErrorCode): void {
    for (const key of this.#sessions.keys()) this.close(key, code);
  }

  #take(key: PeerKey): Session | undefined {
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    return session;
  }
}

export function endOf(code: HeddleErrorCode): SessionEnd {
  return { code, closeCode: byeCodeOf(code) };
}
