import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { peSections, planUki, readUki } from "../../src/boot/index.ts";
import { utf8 } from "../../src/bytes/index.ts";
import { bytesContent, bytesSource, contentBytes } from "../../src/extents/index.ts";
import { cpioArchive } from "../support/cpio.ts";
import { bootEfi, OVMF_4M, writeEfiDisk } from "../support/efi-machine.ts";
import { cloudKernel } from "../support/kernel.ts";
import { describeWith, run, saveImage, scratchDirectory } from "../support/referee.ts";

const STUB = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
const BUSYBOX = "/usr/bin/busybox";
const hasStub = process.env.CI === "true" || existsSync(STUB);
const canBoot = process.env.CI === "true" || (hasStub && existsSync(OVMF_4M.code) && existsSync(BUSYBOX));
const kernel = canBoot ? cloudKernel() : undefined;

/** What `objdump` says of the sections of a file: name, size, address in memory, and what they are. */
function dumped(path: string): string[][] {
  const { stdout, status } = run("objdump", ["-h", "-w", path]);
  expect(status).toBe(0);
  return stdout
    .split("\n")
    .filter((line) => /^ *\d+ \./.test(line))
    .map((line) => line.trim().split(/ {2,}| (?=\.)/))
    .map(([, name, size, address, , , , ...flags]) => [name!, size!, address!, flags.join(" ")]);
}

describeWith(["objdump", "objcopy"], "a unified kernel image, by binutils", () => {
  const scratch = scratchDirectory();

  it.skipIf(!hasStub)("has the sections that objcopy would add, and what is in them", async () => {
    const given: Record<string, Uint8Array> = {
      ".osrel": utf8("ID=test\n"),
      ".cmdline": utf8("console=ttyS0 quiet"),
      ".uname": utf8("6.1.0"),
      ".initrd": new Uint8Array(70_001).fill(1),
      ".splash": new Uint8Array(3000).fill(2),
      ".dtb": new Uint8Array(512).fill(3),
      ".linux": new Uint8Array(1_000_003).fill(4),
    };
    const content = (name: string) => bytesContent(given[name]!);
    const { content: whole, sections } = planUki({
      stub: readFileSync(STUB),
      kernel: content(".linux"),
      commandLine: "console=ttyS0 quiet",
      osRelease: content(".osrel"),
      uname: "6.1.0",
      initrds: [content(".initrd")],
      splash: content(".splash"),
      deviceTree: content(".dtb"),
    });
    const ours = saveImage(scratch, "ours.efi", await contentBytes(whole, undefined));
    const theirs = join(scratch, "theirs.efi");
    const args = Object.entries(given).flatMap(([name, bytes]) => {
      const { virtualAddress } = sections.find((section) => section.name === name)!;
      const path = saveImage(scratch, `section${name}`, bytes);
      const flags =
        name === ".linux" ? ["--set-section-flags", ".linux=contents,alloc,load,readonly,code"] : [];
      return [
        "--add-section",
        `${name}=${path}`,
        "--change-section-vma",
        `${name}=${virtualAddress}`,
        ...flags,
      ];
    });
    expect(run("objcopy", [...args, STUB, theirs])).toMatchObject({ status: 0, stderr: "" });
    expect(dumped(ours)).toEqual(dumped(theirs));
    expect(dumped(ours).length).toBe(15);

    for (const [name, bytes] of Object.entries(given)) {
      const out = join(scratch, "out");
      expect(run("objcopy", ["-O", "binary", "--only-section", name, ours, out])).toMatchObject({
        status: 0,
      });
      expect(Buffer.compare(readFileSync(out), bytes), name).toBe(0);
    }
    // Ours reads what binutils wrote.
    const report = await readUki(bytesSource(readFileSync(theirs)));
    expect(report).toMatchObject({ machine: "x86-64", osRelease: "ID=test\n", uname: "6.1.0" });
    expect(report!.sections.map(({ name, virtualAddress, size }) => [name, virtualAddress, size])).toEqual(
      sections.map(({ name, virtualAddress, size }) => [name, virtualAddress, size]),
    );
  });

  it.skipIf(!hasStub)("is read as objdump reads it", () => {
    const [text] = peSections(readFileSync(STUB));
    expect(dumped(STUB)[0]!.slice(0, 3)).toEqual([
      text!.name,
      text!.size.toString(16).padStart(8, "0"),
      text!.virtualAddress.toString(16).padStart(16, "0"),
    ]);
  });
});

describeWith(["qemu-system-x86_64"], "a unified kernel image, by OVMF", () => {
  const scratch = scratchDirectory();

  it.skipIf(kernel === undefined)("boots to the init of its initrds", async () => {
    const [file, directory] = [0o100755, 0o40755];
    const init = "#!/bin/busybox sh\nread said </marker\necho $said\n/bin/busybox poweroff -f\n";
    const programs = cpioArchive([
      { path: "bin", mode: directory, content: new Uint8Array(0) },
      { path: "bin/busybox", mode: file, content: readFileSync(BUSYBOX) },
      { path: "init", mode: file, content: utf8(init) },
    ]);
    const marker = cpioArchive([{ path: "marker", mode: 0o100644, content: utf8("diskwright-was-here\n") }]);
    const commandLine = "console=ttyS0 panic=-1";
    const { content } = planUki({
      stub: readFileSync(STUB),
      kernel: bytesContent(readFileSync(kernel!.vmlinuz)),
      commandLine,
      osRelease: bytesContent(utf8("ID=test\nPRETTY_NAME=Test\n")),
      uname: kernel!.release,
      initrds: [bytesContent(programs), bytesContent(marker)],
    });
    const disk = join(scratch, "disk.img");
    await writeEfiDisk(disk, "gpt", [{ path: "EFI/BOOT/BOOTX64.EFI", type: "file", content }]);
    const variables = join(scratch, "variables.fd");
    writeFileSync(variables, readFileSync(OVMF_4M.variables));
    const said = await bootEfi({ firmware: OVMF_4M, variables, disk });
    expect(said).toContain(`Kernel command line: ${commandLine}`);
    expect(said).toContain("diskwright-was-here");
  });
});
