import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseBootspec } from "../../src/boot/entries/index.ts";
import { collectEntries } from "../../src/boot/index.ts";
import { DiskwrightError } from "../../src/errors.ts";
import type { Entry } from "../../src/tree/index.ts";
import { bootContext, file, link, linuxKernel } from "../support/boot.ts";

const CORPUS = join(import.meta.dirname, "../corpus/bootspec");

function corpus(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(CORPUS, name)));
}

function refusal(bytes: Uint8Array): DiskwrightError {
  try {
    parseBootspec(bytes, "/x/boot.json");
  } catch (error) {
    if (error instanceof DiskwrightError) return error;
    throw error;
  }
  throw new Error("it was read");
}

describe("parseBootspec", () => {
  it("reads a document with everything in it, and what it does not know", () => {
    const { spec, specialisations } = parseBootspec(corpus("good/full.json"), "boot.json");
    expect(spec).toEqual({
      label: "NixOS Uakari 24.05 (Linux 6.6.30)",
      kernel: "/nix/store/00000000000000000000000000000004-linux-6.6.30/bzImage",
      kernelParams: ["loglevel=4", 'dyndbg="file a.c +p"'],
      init: "/nix/store/00000000000000000000000000000001-nixos-system-a-24.05/init",
      toplevel: "/nix/store/00000000000000000000000000000001-nixos-system-a-24.05",
      initrd: "/nix/store/00000000000000000000000000000002-initrd-linux-6.6.30/initrd",
      initrdSecrets:
        "/nix/store/00000000000000000000000000000003-append-initrd-secrets/bin/append-initrd-secrets",
      sortKey: "nixos-a",
      devicetree: undefined,
    });
    expect([...specialisations.keys()]).toEqual(["constructor"]);
    expect(specialisations.get("constructor")!.kernelParams).toEqual([]);
  });

  it.each(readdirSync(join(CORPUS, "bad")))("refuses bad/%s in words", (name) => {
    const error = refusal(corpus(`bad/${name}`));
    expect(error.code).toBe("CORRUPT");
    expect(error.path).toBe("/x/boot.json");
    expect(error.message).toMatch(/^\/x\/boot\.json/);
    // What is hostile in it does not reach a terminal.
    expect(error.message).toMatch(/^[\n\x20-\x7e…]+$/);
  });

  it.each([
    ["cut.json", "/x/boot.json: it is no JSON: "],
    ["binary.json", "/x/boot.json: it is no UTF-8"],
    ["list.json", "the document: expected an object, found a list"],
    ["draft.json", "org.nixos.bootspec.v1: missing"],
    ["no-kernel.json", "org.nixos.bootspec.v1.kernel: missing"],
    ["kernel-number.json", "org.nixos.bootspec.v1.kernel: expected a text, found 5"],
    ["kernel-relative.json", 'org.nixos.bootspec.v1.kernel: expected a path from the root, found "bzImage"'],
    ["params-text.json", 'org.nixos.bootspec.v1.kernelParams: expected a list of texts, found "quiet"'],
    ["param-number.json", "org.nixos.bootspec.v1.kernelParams.1: expected a text, found 1"],
    ["param-lines.json", "org.nixos.bootspec.v1.kernelParams.0: expected a text of one line"],
    ["specialisation-list.json", "org.nixos.specialisation.v1: expected an object, found a list"],
    ["specialisation-null.json", "org.nixos.specialisation.v1.a: expected an object, found null"],
    ["specialisation-bad.json", "org.nixos.specialisation.v1.\\x1b.org.nixos.bootspec.v1.label: missing"],
    ["sort-key-lines.json", "org.nixos.systemd-boot.sortKey: expected a text of one line"],
    ["proto.json", "org.nixos.specialisation.v1.__proto__.org.nixos.bootspec.v1: missing"],
  ])("says of bad/%s: %s", (name, message) => {
    expect(refusal(corpus(`bad/${name}`)).message).toContain(message);
  });

  it("does not read a file without end", () => {
    expect(refusal(new Uint8Array(16 * 1024 * 1024 + 1)).message).toContain("longer than the 16777216 bytes");
  });
});

const STORE = "/nix/store";

function storePath(number: number, name: string): string {
  return `${STORE}/${String(number).padStart(32, "0")}-${name}`;
}

interface SystemOptions {
  readonly secrets?: boolean;
  readonly specialisations?: readonly string[];
}

/** A system of NixOS in the store, as its closure has it. */
function system(number: number, { secrets = false, specialisations = [] }: SystemOptions = {}): Entry[] {
  const toplevel = storePath(number, `nixos-system-${number}`);
  const kernel = storePath(900, "linux-6.6.30");
  const initrd = storePath(number + 500, "initrd");
  const spec = {
    "org.nixos.bootspec.v1": {
      init: `${toplevel}/init`,
      initrd: `${initrd}/initrd`,
      kernel: `${kernel}/bzImage`,
      kernelParams: ["loglevel=4"],
      label: `NixOS ${number}`,
      toplevel,
      ...(secrets ? { initrdSecrets: `${toplevel}/append-initrd-secrets` } : {}),
    },
  };
  const variants = Object.fromEntries(specialisations.map((name) => [name, spec]));
  return [
    file(`${toplevel}/boot.json`, JSON.stringify({ ...spec, "org.nixos.specialisation.v1": variants })),
    file(`${toplevel}/init`),
    file(`${initrd}/initrd`),
  ];
}

const KERNEL = file(`${storePath(900, "linux-6.6.30")}/bzImage`, linuxKernel("6.6.30"));

function profile(...generations: readonly (readonly [generation: number, system: number])[]): Entry[] {
  return [
    ...generations.map(([generation, number]) =>
      link(`nix/var/nix/profiles/system-${generation}-link`, storePath(number, `nixos-system-${number}`)),
    ),
    link("nix/var/nix/profiles/system", `system-${generations[0]![0]}-link`),
  ];
}

describe("the generations of NixOS", () => {
  it("become entries, the newest first, each with its specialisations", async () => {
    const context = bootContext([
      ...system(1),
      ...system(2, { specialisations: ["work", "gaming"] }),
      KERNEL,
      ...profile([9, 1], [10, 2]),
    ]);
    const { entries, defaultId, origin, warnings } = await collectEntries(context);
    expect({ defaultId, origin, warnings }).toEqual({
      defaultId: "nixos-generation-9",
      origin: "nixos",
      warnings: [],
    });
    expect(entries.map(({ id, title }) => [id, title])).toEqual([
      ["nixos-generation-10", "NixOS"],
      ["nixos-generation-10-specialisation-gaming", "NixOS (gaming)"],
      ["nixos-generation-10-specialisation-work", "NixOS (work)"],
      ["nixos-generation-9", "NixOS"],
    ]);
    expect(entries[3]).toEqual({
      id: "nixos-generation-9",
      title: "NixOS",
      version: "Generation 9 NixOS 1",
      sortKey: "nixos",
      machineId: undefined,
      linux: `${storePath(900, "linux-6.6.30")}/bzImage`,
      initrds: [`${storePath(501, "initrd")}/initrd`],
      options: `init=${storePath(1, "nixos-system-1")}/init loglevel=4`,
      devicetree: undefined,
    });
  });

  it("are found by the row when the profile does not name one of them", async () => {
    const context = bootContext([
      ...system(1),
      ...system(2),
      KERNEL,
      ...profile([1, 1], [2, 2]).slice(0, 2),
      link("nix/var/nix/profiles/system", storePath(2, "nixos-system-2")),
    ]);
    expect((await collectEntries(context)).defaultId).toBe("nixos-generation-2");
  });

  it("are told apart by their links when several are one system", async () => {
    const context = bootContext([...system(1), KERNEL, ...profile([3, 1], [4, 1])]);
    expect((await collectEntries(context)).defaultId).toBe("nixos-generation-3");
  });

  it("can be one system, by its path, with options of one's own behind those of NixOS", async () => {
    const context = bootContext([
      ...system(7),
      KERNEL,
      link("run/current-system", storePath(7, "nixos-system-7")),
    ]);
    const { entries, defaultId } = await collectEntries(context, {
      toplevel: "/run/current-system",
      kernelOptions: "console=ttyS0",
    });
    expect(defaultId).toBe("nixos-generation-1");
    expect(entries.map(({ options }) => options)).toEqual([
      `init=${storePath(7, "nixos-system-7")}/init loglevel=4 console=ttyS0`,
    ]);
    await expect(collectEntries(context, { toplevel: "/nix/store/none" })).rejects.toThrow(
      "/nix/store/none: there is no such system of NixOS in the tree",
    );
  });

  it("warn of secrets that nobody puts in", async () => {
    const context = bootContext([...system(1, { secrets: true }), KERNEL, ...profile([1, 1])]);
    expect((await collectEntries(context)).warnings).toEqual([
      `nixos-generation-1: ${storePath(1, "nixos-system-1")}/append-initrd-secrets puts secrets into the initrd, ` +
        "but can only be run in the system itself: the initrd is as it is in the tree",
    ]);
  });

  it("refuse what is not in the tree, with all that is missing", async () => {
    const [bootJson] = system(1);
    const context = bootContext([bootJson!, ...profile([1, 1])]);
    const path = `${storePath(1, "nixos-system-1")}/boot.json`;
    await expect(collectEntries(context)).rejects.toThrow(
      [
        "NixOS cannot be booted:",
        `${path}: kernel: ${storePath(900, "linux-6.6.30")}/bzImage is not in the tree: copy the whole closure into it`,
        `${path}: initrd: ${storePath(501, "initrd")}/initrd is not in the tree: copy the whole closure into it`,
      ].join("\n  "),
    );
  });

  it("pass over generations that are older than bootspec, but for the current one", async () => {
    const old = { path: storePath(8, "nixos-system-8"), type: "directory" } as const;
    const tree = [...system(1), KERNEL, old, link("nix/var/nix/profiles/system-5-link", "/nowhere")];
    const passed = await collectEntries(bootContext([...tree, ...profile([2, 1], [1, 8])]));
    expect(passed.entries.map(({ id }) => id)).toEqual(["nixos-generation-2"]);
    expect(passed.warnings).toEqual([
      "/nix/var/nix/profiles/system-5-link: leads to no system in the tree: no boot entry is made of it",
      `${old.path}/boot.json: missing: NixOS writes it since 23.05: no boot entry is made of generation 1`,
    ]);
    await expect(collectEntries(bootContext([...tree, ...profile([1, 8], [2, 1])]))).rejects.toThrow(
      `${old.path}/boot.json: missing: NixOS writes it since 23.05`,
    );
  });

  it("follow symlinks within the tree only", async () => {
    const toplevel = storePath(1, "nixos-system-1");
    const context = bootContext([
      link(`${toplevel}/boot.json`, "../../../../../../etc/passwd"),
      file("etc/passwd", "not JSON"),
      ...profile([1, 1]),
    ]);
    await expect(collectEntries(context)).rejects.toThrow(`${toplevel}/boot.json: it is no JSON`);
  });
});
