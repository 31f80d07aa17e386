import { describe, expect, it, vi } from "vitest";
import { bytesExtent, bytesSource, memoryTarget } from "../../src/extents/index.ts";
import {
  copyDisk,
  FORMAT_NAMES,
  type FormatName,
  openDisk,
  type WriteDiskOptions,
  writeDisk,
} from "../../src/formats/index.ts";
import { planGpt, writeGpt } from "../../src/gpt/index.ts";
import { describeDisk } from "../../src/harvest/index.ts";
import { inspect } from "../../src/inspect/index.ts";
import { planMbr, writeMbr } from "../../src/mbr/index.ts";
import { render } from "../support/render.ts";

const MIB = 2 ** 20;
const size = 24 * MIB;
const GUID = "0fc63daf-8483-4772-8e79-3d69d8477de4";

/** A disk with a GPT. */
async function gptDisk(sectorSize: 512 | 4096): Promise<Uint8Array> {
  const plan = planGpt({
    sectors: size / sectorSize,
    sectorSize,
    diskGuid: GUID,
    partitions: [
      { type: "linux-generic", guid: GUID, firstLba: MIB / sectorSize, lastLba: (2 * MIB) / sectorSize - 1 },
    ],
  });
  return render(writeGpt(plan), size);
}

/** An MBR of a disk with sectors of 4 KiB. */
async function mbrDisk(): Promise<Uint8Array> {
  const plan = planMbr({
    sectors: size / 4096,
    sectorSize: 4096,
    signature: 1,
    partitions: [{ type: 0x83, firstLba: 256, sectors: 256 }],
  });
  return render(writeMbr(plan), size);
}

async function copied(
  disk: Uint8Array,
  format: FormatName,
  options: WriteDiskOptions = {},
): Promise<Uint8Array> {
  const target = memoryTarget();
  await copyDisk(await openDisk(bytesSource(disk)), [{ format, target }], options);
  return target.bytes;
}

async function sectorsOf(file: Uint8Array) {
  return (await openDisk(bytesSource(file))).sectors;
}

/** The formats whose readers give every disk sectors of 512 bytes. */
const CANNOT_SAY = ["vdi", "vdi-static", "vpc", "vpc-fixed", "azure", "vmdk", "vmdk-stream"] as const;

describe("a vhdx", () => {
  it.each([512, 4096] as const)("says for which sectors the GPT is laid out: %d", async (logical) => {
    const vhdx = await copied(await gptDisk(logical), "vhdx");
    expect(await sectorsOf(vhdx)).toEqual({ logical, physical: 4096 });
  });

  it("states the size that is given, when it is planned and when it is copied", async () => {
    const target = memoryTarget();
    const extents = () => [bytesExtent(0, new Uint8Array(4096).fill(1))];
    await writeDisk({ size: 8192, extents }, [{ format: "vhdx", target }], { sectorSize: 4096 });
    expect(await sectorsOf(target.bytes)).toEqual({ logical: 4096, physical: 4096 });
    expect(await sectorsOf(await copied(await mbrDisk(), "vhdx", { sectorSize: 4096 }))).toMatchObject({
      logical: 4096,
    });
  });

  it.each([
    { sectorSize: 512, physicalSectorSize: 512 },
    { sectorSize: 512, physicalSectorSize: 4096 },
    { sectorSize: 4096, physicalSectorSize: 4096 },
  ] as const)("keeps what another one says: $sectorSize, $physicalSectorSize", async (sizes) => {
    const first = await copied(await mbrDisk(), "vhdx", sizes);
    const again = await copied(first, "vhdx");
    expect(await sectorsOf(again)).toEqual({ logical: sizes.sectorSize, physical: sizes.physicalSectorSize });
    expect(Buffer.compare(again, first)).toBe(0);
  });

  it("that says another size than its GPT is laid out for stays so, with a warning, unless it is corrected", async () => {
    const wrong = await copied(await gptDisk(4096), "vhdx", { sectorSize: 512 });
    const onWarning = vi.fn();
    expect(await sectorsOf(await copied(wrong, "vhdx", { onWarning }))).toMatchObject({ logical: 512 });
    expect(onWarning).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining("says sectors of 512 bytes, but its GPT is laid out for 4096"),
    );
    const right = await copied(wrong, "vhdx", { sectorSize: 4096 });
    expect(await sectorsOf(right)).toMatchObject({ logical: 4096 });
    const { table } = await inspect(await openDisk(bytesSource(wrong)));
    expect(table.problems).toContainEqual(expect.stringContaining("says sectors of 512 bytes"));
    expect((await inspect(await openDisk(bytesSource(right)))).table.problems).toEqual([]);
  });

  it("counts in its sectors: a disk that ends within one is refused", async () => {
    const options = { sectorSize: 4096 } as const;
    await expect(copied(new Uint8Array(4096 + 512).fill(1), "vhdx", options)).rejects.toThrow(
      "multiples of 4 KiB",
    );
  });

  it("has its MBR read by the sectors that it says", async () => {
    const disk = await openDisk(bytesSource(await copied(await mbrDisk(), "vhdx", { sectorSize: 4096 })));
    const { table } = await inspect(disk);
    expect(table.partitions).toMatchObject([{ offset: MIB, size: MIB }]);
    const { spec } = await describeDisk(disk);
    expect(spec.sectorSize).toBe(4096);
    expect(spec.layout).toMatchObject({ partitions: [{ start: MIB, size: MIB }] });
  });
});

describe.each(CANNOT_SAY)("%s", (format) => {
  it("is refused for sectors of 4 KiB, from a GPT, a container, or an option", async () => {
    const message = `${format} cannot say that a sector has 4096 bytes`;
    const disk = await gptDisk(4096);
    await expect(copied(disk, format)).rejects.toMatchObject({ code: "INVALID_SPEC" });
    await expect(copied(await copied(disk, "qcow2"), format)).rejects.toThrow(message);
    await expect(copied(await copied(await mbrDisk(), "vhdx", { sectorSize: 4096 }), format)).rejects.toThrow(
      message,
    );
    await expect(copied(await mbrDisk(), format, { sectorSize: 4096 })).rejects.toThrow(message);
  });

  it("is written with a warning when that is to be ignored, and without one for sectors of 512 bytes", async () => {
    const onWarning = vi.fn();
    const target = memoryTarget();
    const disk = await gptDisk(4096);
    await copyDisk(await openDisk(bytesSource(disk)), [{ format, target }], {
      ignoreSectorSize: true,
      onWarning,
    });
    expect(onWarning).toHaveBeenCalledExactlyOnceWith(
      `${format} cannot say that a sector has 4096 bytes: whatever attaches the image takes 512, and finds no partition table`,
    );
    const again = await openDisk(bytesSource(target.bytes));
    expect(Buffer.compare(await again.read(0, size), disk)).toBe(0);
    await copied(await gptDisk(512), format, { onWarning });
    expect(onWarning).toHaveBeenCalledOnce();
  });
});

it("no other format but Google's, whose disks are larger, is refused", async () => {
  const disk = await gptDisk(4096);
  const others = FORMAT_NAMES.filter((name) => !([...CANNOT_SAY, "gce"] as string[]).includes(name));
  for (const format of others) expect((await copied(disk, format)).length).toBeGreaterThan(0);
  await expect(copied(disk, "gce")).rejects.toThrow("gce cannot say that a sector has 4096 bytes");
});

it("nothing is begun when one of several outputs is refused", async () => {
  const begin = vi.fn();
  const targets = [memoryTarget(), memoryTarget()].map((target) => ({ ...target, begin }));
  const disk = await openDisk(bytesSource(await gptDisk(4096)));
  const outputs = [{ target: targets[0]! }, { format: "vdi" as const, target: targets[1]! }];
  await expect(copyDisk(disk, outputs)).rejects.toThrow("vdi cannot say");
  expect(begin).not.toHaveBeenCalled();
});

it("a table that cannot be read says nothing of the sectors", async () => {
  const disk = await gptDisk(512);
  disk.fill(0xff, 512 + 16, 512 + 24);
  disk.fill(0xff, size - 512 + 16, size - 512 + 24);
  expect(await sectorsOf(await copied(disk, "vhdx"))).toMatchObject({ logical: 512 });
});
