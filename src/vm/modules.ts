import { utf8Text } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { Kernel } from "./kernel.ts";
import { moduleInfo, moduleName, moduleOfFile, unpackModule } from "./module-info.ts";
import { namesIn, readFile, type SystemFiles } from "./system-files.ts";

/** A module that has to be loaded. */
export interface LoadedModule {
  readonly name: string;
  /** Whether the machine cannot do its work without it. */
  readonly isRequired: boolean;
  /** As insmod(8) takes it. */
  readonly bytes: Uint8Array;
}

/** What a machine wants of its kernel. */
export interface WantedModules {
  readonly required: readonly string[];
  /** Loaded where they exist. */
  readonly optional: readonly string[];
}

/** The modules that a kernel has. */
interface ModuleIndex {
  /** Whether the kernel has it built in. */
  isBuiltin(name: string): boolean;
  /** The path of its file. */
  find(name: string): string | undefined;
}

/** How deep directories of modules are searched. Linux has eight levels. */
const DEEPEST = 16;

/** What of the names in a directory of modules leads elsewhere: to the kernel's source. */
const NOT_MODULES = new Set(["build", "source"]);

/**
 * Looks through the directory of a kernel's modules. No modules.dep is needed, which depmod(8) writes only when a
 * package is configured.
 */
async function indexModules({ modules: { files, path } }: Kernel): Promise<ModuleIndex> {
  const builtin = utf8Text((await readFile(files, `${path}/modules.builtin`)) ?? new Uint8Array(0)) ?? "";
  const builtins = new Set<string>();
  for (const line of builtin.split("\n")) {
    const name = moduleOfFile(line.slice(line.lastIndexOf("/") + 1));
    if (name !== undefined) builtins.add(name);
  }
  const paths = new Map<string, string>();
  // What was brought as an update comes before what it updates (depmod.d(5), "search").
  const tops = (await namesIn(files, path)).filter((name) => !NOT_MODULES.has(name));
  for (const top of tops.sort((a, b) => Number(b === "updates") - Number(a === "updates"))) {
    await walk(files, `${path}/${top}`, DEEPEST, (name, at) => {
      if (!paths.has(name)) paths.set(name, at);
    });
  }
  return { isBuiltin: (name) => builtins.has(name), find: (name) => paths.get(name) };
}

async function walk(
  files: SystemFiles,
  path: string,
  levels: number,
  found: (name: string, path: string) => void,
): Promise<void> {
  const file = await files.look(path);
  if (file?.type !== "directory" || levels === 0) return;
  for (const child of [...(await file.names())].sort()) {
    const name = moduleOfFile(child);
    if (name === undefined) await walk(files, `${path}/${child}`, levels - 1, found);
    else found(name, `${path}/${child}`);
  }
}

/** Where a request by another name leads: crypto algorithms are asked for by what they compute. */
const ALIASES: Readonly<Record<string, string>> = { crc32c: "crc32c_generic", crc32: "crc32_generic" };

/** What was found of the wanted modules. */
export interface ModuleSet {
  /** In the order in which they can be loaded: what each one needs comes before it. */
  readonly modules: readonly LoadedModule[];
  /** Whether the kernel has it, in itself or as one of the modules. */
  has(name: string): boolean;
}

/**
 * Finds the modules that have to be loaded.
 *
 * @throws DiskwrightError `VM_NO_MODULE` that names all required ones that are missing; `CORRUPT` for damage.
 */
export async function modulesToLoad(kernel: Kernel, wanted: WantedModules): Promise<ModuleSet> {
  const index = await indexModules(kernel);
  const { files, path: directory } = kernel.modules;
  const loaded = new Map<string, LoadedModule>();
  const missing: string[] = [];
  const visiting = new Set<string>();

  /** Whether the kernel will have the module. */
  async function load(name: string, isRequired: boolean, wantedBy: string | undefined): Promise<boolean> {
    if (index.isBuiltin(name) || visiting.has(name)) return true;
    const before = loaded.get(name);
    if (before !== undefined && (before.isRequired || !isRequired)) return true;
    const path = index.find(name);
    const stored = path === undefined ? undefined : await readFile(files, path);
    if (path === undefined || stored === undefined) {
      if (isRequired) missing.push(wantedBy === undefined ? name : `${name} (which ${wantedBy} needs)`);
      return false;
    }
    visiting.add(name);
    const bytes = await unpackModule(stored, path);
    const { depends, softPrerequisites } = moduleInfo(bytes, path);
    for (const soft of softPrerequisites) await load(ALIASES[soft] ?? soft, false, name);
    let isComplete = true;
    for (const needed of depends) isComplete = (await load(needed, isRequired, name)) && isComplete;
    visiting.delete(name);
    // One that was optional before keeps its place, which is before all that need it.
    if (isComplete) loaded.set(name, { name, isRequired, bytes });
    return isComplete;
  }

  for (const name of wanted.required) await load(moduleName(name), true, undefined);
  for (const name of wanted.optional) await load(moduleName(name), false, undefined);
  if (missing.length > 0) {
    throw new DiskwrightError(
      "VM_NO_MODULE",
      `Linux ${kernel.release} has neither built in nor in ${directory} what a virtual machine needs: ` +
        `${missing.join(", ")}: install all of the kernel's package, or name another kernel (--kernel)`,
      { path: directory, problems: missing },
    );
  }
  return { modules: [...loaded.values()], has: (name) => index.isBuiltin(name) || loaded.has(name) };
}
