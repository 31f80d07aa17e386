import { utf8Text } from "../../bytes/index.ts";
import { contentStart } from "../../extents/index.ts";
import type { BootContext } from "../installation.ts";
import { fileNamePart, singleLine } from "./names.ts";
import { readOsRelease } from "./os-release.ts";

/** What a staged tree says of the system in it. */
export interface BootSystem {
  /** What menus call it. */
  readonly title: string;
  readonly sortKey: string;
  /** What the names of its files on a boot partition start with. */
  readonly token: string;
  /** When the tree has one for good: images that are started many times have none. */
  readonly machineId: string | undefined;
  /** The kernel command line that the tree has for all its kernels. */
  readonly options: string | undefined;
  readonly warnings: readonly string[];
}

/** Longer files are none of those that are read here. */
const LONGEST_FILE = 64 * 1024;

// What kernel-install(8) reads, too.
const TOKEN = "/etc/kernel/entry-token";
const COMMAND_LINES = ["/etc/kernel/cmdline", "/usr/lib/kernel/cmdline"];
const MACHINE_ID = "/etc/machine-id";

/** Reads what a tree says of its system; `entryToken` is what its files are to be named by. */
export async function readSystem(context: BootContext, entryToken?: string): Promise<BootSystem> {
  const { fields, warnings } = await readOsRelease(context);
  const id = fields.get("IMAGE_ID") ?? fields.get("ID") ?? "linux";
  const token = entryToken ?? (await textAt(context, TOKEN)) ?? id;
  const machineId = await textAt(context, MACHINE_ID);
  let options: string | undefined;
  for (const path of COMMAND_LINES) options ??= await textAt(context, path);
  return {
    title: singleLine(fields.get("PRETTY_NAME") ?? fields.get("NAME") ?? "") || "Linux",
    sortKey: fileNamePart(id) || "linux",
    token: fileNamePart(token) || "linux",
    machineId: machineId !== undefined && /^[0-9a-f]{32}$/.test(machineId) ? machineId : undefined,
    options: options === undefined ? undefined : singleLine(options),
    warnings,
  };
}

/** The text of a small file, without blanks around it; `undefined` when there is none, or nothing in it. */
async function textAt({ tree, reader }: BootContext, path: string): Promise<string | undefined> {
  const row = tree.resolve(path);
  if (row === undefined || !tree.isFile(row)) return undefined;
  const text = utf8Text(await contentStart(tree.content(row), reader, LONGEST_FILE))?.trim();
  return text === "" ? undefined : text;
}
