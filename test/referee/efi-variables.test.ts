import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { addBootEntry, bootEntries, type EfiPartition, openVariables } from "../../src/boot/index.ts";
import { bootEfi, firmwareVariables, OVMF_2M, OVMF_4M, writeEfiDisk } from "../support/efi-machine.ts";
import { cloudKernel } from "../support/kernel.ts";
import { describeWith, scratchDirectory } from "../support/referee.ts";

const LOADER = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
const hasFirmware = process.env.CI === "true" || existsSync(OVMF_4M.variables);
const canBoot = process.env.CI === "true" || (hasFirmware && existsSync(LOADER));
const kernel = canBoot ? cloudKernel() : undefined;

describe("the variables that OVMF comes with", () => {
  it.skipIf(!hasFirmware).each(firmwareVariables())("%s: are read, and written as they were", (path) => {
    const flash = readFileSync(path);
    const variables = openVariables(flash);
    const again = openVariables(variables.toBytes());
    expect([...again.entries()]).toEqual([...variables.entries()]);
    const isEmpty = !/\.(ms|snakeoil)\.fd$/.test(path);
    expect([...variables.entries()].length > 0).toBe(!isEmpty);
    if (isEmpty) expect(Buffer.compare(variables.toBytes(), flash)).toBe(0);
  });

  it.skipIf(!hasFirmware).each(firmwareVariables().filter((path) => /\.(ms|snakeoil)\./.test(path)))(
    "%s: the keys of Secure Boot stay as they are",
    (path) => {
      const flash = readFileSync(path);
      const variables = openVariables(flash);
      variables.set("Unrelated", new Uint8Array(10));
      const written = Buffer.from(variables.toBytes());
      for (const name of ["PK", "KEK", "db", "dbx"]) {
        const signed = [...variables.entries()].filter((variable) => variable.name === name);
        expect(signed.map(({ attributes }) => attributes)).toEqual([0x27]);
        const text = Buffer.from(`${name}\0`, "utf16le");
        const size = 60 + text.length + signed[0]!.data.length;
        // The header of an authenticated record, 60 bytes, lies before the name.
        const at = flash.indexOf(Buffer.concat([text, signed[0]!.data])) - 60;
        expect(flash.readUInt16LE(at)).toBe(0x55aa);
        expect(written.includes(flash.subarray(at, at + size))).toBe(true);
      }
    },
  );
});

describeWith(["qemu-system-x86_64"], "firmware with variables that we wrote", () => {
  const scratch = scratchDirectory();
  // Newer systems have the firmware with 4 MiB only.
  const older = existsSync(OVMF_2M.code) ? OVMF_2M : OVMF_4M;
  const runs = [
    { firmware: OVMF_4M, table: "gpt" },
    { firmware: older, table: "mbr" },
  ] as const;

  it.skipIf(!canBoot).each(runs)(
    "$firmware.variables: starts the loader that they name on a disk with a $table, and keeps them",
    async ({ firmware, table }) => {
      const disk = join(scratch, `${table}.img`);
      const flash = join(scratch, `${table}-${basename(firmware.variables)}`);
      const content = readFileSync(LOADER);
      const partition = await writeEfiDisk(disk, table, [
        { path: "EFI/systemd/systemd-bootx64.efi", type: "file", content },
        { path: "loader/loader.conf", type: "file", content: "timeout menu-force\n" },
      ]);
      const variables = openVariables(readFileSync(firmware.variables));
      addBootEntry(variables, {
        title: "diskwright",
        path: "/EFI/systemd/systemd-bootx64.efi",
        partition,
      });
      writeFileSync(flash, variables.toBytes());
      // An entry of its menu that it has without any of ours.
      const until = "Reboot Into Firmware Interface";
      expect(await bootEfi({ firmware, variables: flash, disk, until })).toContain(until);
      expectOurEntry(flash, partition);
    },
  );

  it.skipIf(!canBoot || kernel === undefined)("starts a kernel with its command line", async () => {
    const disk = join(scratch, "kernel.img");
    const flash = join(scratch, "kernel.fd");
    const content = readFileSync(kernel!.vmlinuz);
    const partition = await writeEfiDisk(disk, "gpt", [{ path: "linux.efi", type: "file", content }]);
    const variables = openVariables(readFileSync(OVMF_4M.variables));
    const commandLine = "console=ttyS0 panic=-1 diskwright.marker=1";
    addBootEntry(variables, { title: "diskwright", path: "/linux.efi", partition, commandLine });
    writeFileSync(flash, variables.toBytes());
    // Without a root it panics, and restarts; the machine is not started again.
    const said = await bootEfi({ firmware: OVMF_4M, variables: flash, disk });
    expect(said).toContain(`Kernel command line: ${commandLine}`);
    expect(said).toContain("Unable to mount root fs");
    expectOurEntry(flash, partition);
  });

  /** What we wrote is there after the firmware wrote its own variables. */
  function expectOurEntry(flash: string, partition: EfiPartition): void {
    const variables = openVariables(readFileSync(flash));
    expect([...variables.entries()].map(({ name }) => name)).toContain("ConOut");
    const [first] = bootEntries(variables);
    expect(first?.number).toBe(0);
    expect(first?.option.description).toBe("diskwright");
    expect(first?.option.paths[0]?.[0]).toEqual({ type: "partition", partition });
  }
});
