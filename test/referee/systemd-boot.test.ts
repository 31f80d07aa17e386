import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { compareVersions } from "../../src/boot/entries/index.ts";
import { type BootContext, installSystemdBoot, type SystemdBootOptions } from "../../src/boot/index.ts";
import { bytesContent, contentBytes } from "../../src/extents/index.ts";
import { directory, FileReader } from "../../src/node/index.ts";
import { bootContext, efiProgram } from "../support/boot.ts";
import { boot, hasFirmware, MARKER, stageFile, stageMiniSystem } from "../support/boot-machine.ts";
import { diskwright } from "../support/cli.ts";
import { cloudKernel } from "../support/kernel.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

const LOADER = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
const ROOT_GUID = "6e0f6e8c-3b0d-4a2e-9a55-0d9f5a7f7c10";

describeWith(["systemd-analyze"], "the order of versions, by systemd", () => {
  it("is that of systemd", () => {
    const versions = [
      "",
      "0",
      "00",
      "1",
      "1.0",
      "1a",
      "1.a",
      "1-a",
      "1-1",
      "1~rc1",
      "1^a",
      "a",
      "0a",
      "B",
      "10",
      "1_2",
    ];
    for (const [index, a] of versions.entries()) {
      for (const b of versions.slice(index)) {
        const { stdout } = run("systemd-analyze", ["compare-versions", a, b]);
        const sign = { "<": -1, "==": 0, ">": 1 }[stdout.trim().split(" ").at(-2)!];
        expect(Math.sign(compareVersions(a, b)), stdout).toBe(sign);
      }
    }
  });
});

/** Stages a small system below `root`, and puts systemd-boot into it as the layout has it. */
async function stageBooting(
  root: string,
  changes: Partial<BootContext>,
  options: SystemdBootOptions,
): Promise<readonly string[]> {
  const reader = new FileReader();
  const tree = await directory(root);
  const rootDevice = `PARTUUID=${ROOT_GUID}`;
  const context: BootContext = { ...bootContext([]), tree, reader, rootDevice, ...changes };
  const { files, warnings } = await installSystemdBoot(context, options);
  for (const { path, content } of files) stageFile(root, path, await contentBytes(content, reader));
  reader.close();
  return warnings;
}

const isReady = process.env.CI === "true" || (hasFirmware() && existsSync(LOADER));
const kernel = isReady ? cloudKernel()?.vmlinuz : undefined;
const canBoot = kernel !== undefined;

describeWith(["qemu-system-x86_64", "busybox"], "a boot by systemd-boot", () => {
  const scratch = scratchDirectory();
  const commandLine = "console=ttyS0 loglevel=3 panic=-1 random.trust_cpu=on";

  function stage(name: string): string {
    const root = join(scratch, name);
    mkdirSync(root);
    stageMiniSystem(root);
    mkdirSync(join(root, "usr/lib/systemd/boot/efi"), { recursive: true });
    copyFileSync(LOADER, join(root, LOADER));
    stageFile(root, "etc/os-release", 'PRETTY_NAME="Mini"\nID=mini\n');
    return root;
  }

  function build(root: string, layout: string): string {
    const image = `${root}.img`;
    const args = [
      "build",
      "--root",
      root,
      "--layout",
      layout,
      "--root-guid",
      ROOT_GUID,
      "--quiet",
      "-o",
      image,
    ];
    expect(diskwright(args).stderr).toBe("");
    return image;
  }

  it.runIf(canBoot)("starts the kernel that was found, from the ESP", async () => {
    const root = stage("efi");
    copyFileSync(kernel!, join(root, "boot", basename(kernel!)));
    expect(await stageBooting(root, {}, { kernelOptions: commandLine })).toEqual([]);
    const said = await boot(build(root, "efi"), scratch, { firmware: "uefi" });
    expect(said).toContain(`${MARKER}: `);
    expect(said).toContain(`root=PARTUUID=${ROOT_GUID} ${commandLine}`);
  });

  it.runIf(canBoot)("starts the entry that is the default, from XBOOTLDR", async () => {
    const root = stage("xbootldr");
    const release = basename(kernel!).replace("vmlinuz-", "");
    stageFile(root, `usr/lib/modules/${release}/vmlinuz`, "");
    copyFileSync(kernel!, join(root, `usr/lib/modules/${release}/vmlinuz`));
    const entry = { version: release, linux: `/usr/lib/modules/${release}/vmlinuz` };
    const entries = ["First", "Chosen", "Last"].map((title) => ({
      ...entry,
      title,
      id: `Mini-${title}`,
      options: `${commandLine} entry=${title}`,
    }));
    const layout = { esp: "/efi", xbootldr: "/boot" };
    const options = { entries, loader: { default: "Mini-Chosen", timeout: 0 } };
    expect(await stageBooting(root, layout, options)).toEqual([]);
    const said = await boot(build(root, "efixbootldr"), scratch, { firmware: "uefi" });
    expect(said).toMatch(new RegExp(`${MARKER}: .*entry=Chosen`));
  });
});

/** bootctl looks at the root of a filesystem only: a mount that no one else sees is one. */
const inNamespace = `mount --bind "$0" "$0" && SYSTEMD_RELAX_ESP_CHECKS=1 exec bootctl --esp-path="$0" list --json=short`;

describeWith(["bootctl", "unshare"], "the entries, by bootctl", () => {
  it("are those that were given", async () => {
    const root = scratchDirectory();
    for (const name of ["a", "b"]) stageFile(root, `boot/${name}.img`, name);
    const program = efiProgram("x64");
    stageFile(root, "boot/vmlinuz", program);
    const machineId = "0123456789abcdef0123456789abcdef";
    const common = { linux: "/boot/vmlinuz", sortKey: "key", machineId, architecture: "x64" } as const;
    await stageBooting(
      root,
      {},
      {
        loaders: [bytesContent(program)],
        entries: [
          {
            ...common,
            id: "one",
            title: 'Größe "x" # y',
            version: "1",
            initrds: ["/boot/a.img", "/boot/b.img"],
          },
          { ...common, id: "two", title: "Two", version: "2", options: "quiet  splash" },
          { id: "three", title: "Three", efi: "/boot/vmlinuz" },
        ],
      },
    );
    const { stdout } = run("unshare", ["-m", "sh", "-c", inNamespace, join(root, "boot")]);
    // Up to version 252 it prints one object behind the other.
    const text = stdout.startsWith("[") ? stdout : `[${stdout.replace(/\}\s*\{/g, "},{")}]`;
    const list = JSON.parse(text) as unknown;
    const path = (id: string) => ({ id: `${id}.conf`, path: join(root, `boot/loader/entries/${id}.conf`) });
    expect(list).toMatchObject([
      { ...path("two"), title: "Two", version: "2", options: `root=PARTUUID=${ROOT_GUID} quiet  splash` },
      {
        ...path("one"),
        title: 'Größe "x" # y',
        machineId,
        sortKey: "key",
        linux: "/vmlinuz",
        initrd: ["/a.img", "/b.img"],
        architecture: "x64",
      },
      { ...path("three"), title: "Three", efi: "/vmlinuz" },
    ]);
  });
});
