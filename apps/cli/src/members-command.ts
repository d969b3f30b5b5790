import {
  createSpace,
  decodeGenesis,
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  MemberRole,
  type DeviceKey,
  type Member,
} from "@heddle/core";
import type { LiveReplica } from "@heddle/replica";
import {
  deviceKeyFileIn,
  nodeEnvironment,
  openDeviceKey,
  openReplica,
  readSpaceFile,
  writeSpaceFile,
} from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";

import type { CommandIo } from "./command-io.ts";
import { textTable } from "./lan/text-table.ts";
import { openLogger } from "./logger.ts";
import { version } from "./version.ts";
import { visibleText } from "./visible-text.ts";

export interface MembersOptions {
  readonly data: string;
  readonly create?: boolean;
  readonly join?: string;
  readonly grant?: string;
  readonly role: string;
  readonly revoke?: string;
  readonly label?: string;
  readonly json?: boolean;
}

/** Who is a member of the space of a data folder, and what an admin does about it. Nothing else may run there. */
export async function membersCommand(options: MembersOptions, io: CommandIo): Promise<number> {
  const { data, grant, revoke, label = "" } = options;
  const given = await givenSpace(options);
  const genesis = given ?? (await readSpaceFile(data));
  if (genesis === undefined) {
    throw invalid(`${data} is of the open space; --create makes one, --join takes part in one`);
  }
  const logger = openLogger(io, { level: "warn", run: "members" });
  const engine = `heddle/${version}`;
  const live = await openReplica({ store: levelStore(data), genesis, engine, logger });
  try {
    // Only now: a folder with documents of another space is refused before.
    if (given) await writeSpaceFile(data, given);
    if (grant !== undefined)
      await live.replica.acts!.grant(keyOf(live, grant), roleOf(options), label);
    if (revoke !== undefined) await live.replica.acts!.revoke(keyOf(live, revoke));
    show(live, options, io);
  } finally {
    await live.close();
  }
  return 0;
}

/** The space that the folder is to be of from now on, if one was asked for. */
async function givenSpace({
  data,
  create,
  join,
  label = "",
}: MembersOptions): Promise<Uint8Array | undefined> {
  if (!create && join === undefined) return undefined;
  if (create && join !== undefined) throw invalid("either --create or --join");
  if (await readSpaceFile(data)) throw invalid(`${data} is of a space already`);
  const { hash, random, clock } = nodeEnvironment(silent);
  if (join !== undefined) return readGenesis(join);
  // The store comes before the key: a key without a store means that a store was lost.
  await (await openReplica({ store: levelStore(data), engine: `heddle/${version}` })).close();
  const signer = await openDeviceKey(deviceKeyFileIn(data));
  const madeAt = { wallMs: clock.nowMs(), counter: 0 };
  return (await createSpace({ hash, random, signer, madeAt, label })).bytes;
}

function readGenesis(text: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(text, "base64url"));
  try {
    decodeGenesis(nodeEnvironment(silent).hash, bytes);
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    throw new HeddleError(HeddleErrorCode.configInvalid, error.message, { cause: error });
  }
  return bytes;
}

function roleOf({ role }: MembersOptions): MemberRole {
  return MemberRole[role as keyof typeof MemberRole];
}

/** A device by its key, or by the first 8 digits of it or more where it is known here. */
function keyOf(live: LiveReplica, given: string): DeviceKey {
  const digits = given.toLowerCase();
  if (/^[\da-f]{64}$/.test(digits)) return digits as DeviceKey;
  const known = [...live.replica.members!.membership.members.keys()];
  const found = known.filter((key) => digits.length >= 8 && key.startsWith(digits));
  if (found.length === 1) return found[0]!;
  throw invalid(`${given} is the key of no member, or the beginning of several`);
}

function show(live: LiveReplica, { json }: MembersOptions, io: CommandIo): void {
  const { genesis, membership, own, role } = live.replica.members!;
  const link = Buffer.from(genesis.bytes).toString("base64url");
  const members = [...membership.members.values()];
  if (json) {
    const shown = members.map((member) => ({ ...member, role: nameOf(member.role) }));
    const { space, label } = genesis;
    io.out(
      JSON.stringify({
        space,
        label,
        genesis: link,
        device: own,
        role: nameOf(role),
        members: shown,
      }),
    );
    return;
  }
  io.out(`space   ${genesis.space} ${visibleText(genesis.label)}`.trimEnd());
  io.out(`join    ${link}`);
  io.out(`device  ${own} (${nameOf(role) ?? "no member"})`);
  io.out(textTable(["member", "role", "name"], members.map(rowOf)));
}

function rowOf({ device, role, label, revokedBy }: Member): readonly string[] {
  const shown = revokedBy.length > 0 ? `removed by ${revokedBy[0]!.slice(0, 16)}` : nameOf(role);
  return [device.slice(0, 16), shown ?? "none", visibleText(label)];
}

function nameOf(role: MemberRole | undefined): string | undefined {
  return Object.entries(MemberRole).find(([, number]) => number === role)?.[0];
}

function invalid(message: string): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, message);
}

const ignore = (): void => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
