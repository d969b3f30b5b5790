import type { Environment, HeddleError, Logger, LogStore, Signer, Verifier } from "@heddle/core";
import type { DeviceRecord } from "@heddle/replica";

/** What an acknowledged write survives: the power, the end of the browser, or only this page. */
export type Durability = "strict" | "relaxed" | "memory";

/**
 * A store that is still to be opened: `levelStore(folder)` of `@heddle/storage-level` in Node,
 * `browserStore(name)` of `@heddle/storage-level/browser` in a browser, or {@link memoryStore}.
 */
export interface ReplicaStore {
  /** A folder: the device key is kept in it. */
  readonly directory?: string | undefined;
  /** In a browser: what the store is called there. */
  readonly name?: string | undefined;
  /** A place for a device key that is no file. */
  readonly keep?: KeyKeep | undefined;
  /** @throws HeddleError `HEDDLE_STORAGE_*`; `..._LOCKED` while another has it. */
  open(environment: Environment, claim?: StoreClaim): Promise<OpenedStore>;
}

/** How a tab asks for a store that another may have. */
export interface StoreClaim {
  /** With one, waits until whoever has it lets go; aborting it ends the wait. */
  readonly untilFree?: AbortSignal | undefined;
  /** Takes it from whoever has it, and who then writes nothing more. */
  readonly steal?: boolean | undefined;
  /** It is ours from now on; opening it may take a while. */
  readonly onTaken?: (() => void) | undefined;
}

/** An open log, with what it says of itself. */
export type OpenedStore = LogStore &
  Partial<DeviceRecord> & {
    /** `strict` when nothing is said. */
    readonly durability?: Durability;
    /** What was stored before was thrown away behind our back. */
    readonly wasEvicted?: boolean;
    /** Resolves when nothing more can be written here: another has it, or it is gone. */
    readonly whenLost?: Promise<HeddleError>;
    /** Looks whether it is still ours, which the page may have slept through; `whenLost` tells when not. */
    stillOurs?(): Promise<void>;
  };

/** Keeps one value: the device key, where there are no files. */
export interface KeyKeep {
  read(): Promise<unknown>;
  write(value: unknown): Promise<void>;
}

/** Everything that differs between a browser and Node. */
export interface Platform {
  environment(logger: Logger): Environment;
  readonly verifier: Verifier;
  /** What documents are kept in when nothing is said. */
  defaultStore(name: string): ReplicaStore;
  /** The key of this device, made on first use. @throws HeddleError `HEDDLE_STORAGE_*`. */
  deviceKey(store: ReplicaStore): Promise<Signer>;
  /** Whether that key is still the same at the next opening. */
  keepsKey(store: ReplicaStore): boolean;
  /** Asks that what is stored here be kept when the disk gets full; whether it is. */
  persist(): Promise<boolean>;
  /** Whether pages of one origin can meet, and agree on one that stores. */
  readonly hasTabs: boolean;
  /** Calls `listener` when the page is about to be out of sight, and may be ended without a word. */
  onHidden(listener: () => void): () => void;
  /** Calls `listener` when the page goes on after it was frozen, or taken out of the back-forward cache. */
  onResumed(listener: () => void): () => void;
  /** Calls `listener` when the page comes into sight. */
  onShown(listener: () => void): () => void;
  /** Calls `listener` when the network comes or goes, as far as the platform knows of it. */
  onNetwork(listener: (isOnline: boolean) => void): () => void;
}
