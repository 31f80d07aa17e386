import { describe, expect, it } from "vitest";
import { NIL_GUID } from "../../src/bytes/index.ts";
import { bytesSource } from "../../src/extents/index.ts";
import { openVdi, planVdi, vdiLayout } from "../../src/vdi/index.ts";
import { vdiHeader } from "../../src/vdi/structures.ts";
import { FACTS, orderedContainer, pattern, type TestDisk } from "../support/containers.ts";

const MIB = 2 ** 20;
const disk: TestDisk = {
  size: 5 * MIB,
  parts: [
    { position: MIB, bytes: pattern(10, 1) },
    { position: 4 * MIB, bytes: pattern(10, 2) },
  ],
};
const dynamic = () => vdiLayout(planVdi({ size: disk.size }));
const container = await orderedContainer(dynamic, disk);

/** The container with some bytes changed. */
function damaged(offset: number, ...bytes: number[]): Uint8Array {
  const copy = container.slice();
  copy.set(bytes, offset);
  return copy;
}

describe("a vdi", () => {
  it("has a header as VirtualBox and qemu ask for it", () => {
    const header = vdiHeader.fromBytes(container);
    expect(vdiHeader.span).toBe(0x48 + header.headerSize);
    expect(header).toMatchObject({ type: 1, flags: 0, blockSize: MIB, blocks: 5, blocksAllocated: 2 });
    expect(header.mapOffset % 512).toBe(0);
    expect(header.dataOffset % MIB).toBe(0);
    expect(header.logicalSectorSize).toBe(512);
    expect(header.uuid).toBe(FACTS.identity.uuid("vdi"));
    expect(header.uuid).not.toBe(NIL_GUID);
    expect(header.modificationUuid).not.toBe(NIL_GUID);
    expect(container.length).toBe(header.dataOffset + 2 * MIB);
  });

  it("takes a uuid of its own", async () => {
    const uuid = "01234567-89ab-cdef-0123-456789abcdef";
    const bytes = await orderedContainer(() => vdiLayout(planVdi({ size: 512, uuid })), {
      size: 512,
      parts: [],
    });
    expect(vdiHeader.fromBytes(bytes).uuid).toBe(uuid);
  });

  it.each([
    [511, "sectors of 512 bytes"],
    [2 ** 44 + 512, "at most 16 TiB"],
  ])("of %d bytes is refused", (size, reason) => {
    expect(() => planVdi({ size })).toThrow(reason);
  });
});

describe("the reader of vdi", () => {
  it("knows what is none", async () => {
    expect(await openVdi(bytesSource(new Uint8Array(4096)))).toBeUndefined();
    expect(await openVdi(bytesSource(new Uint8Array(10)))).toBeUndefined();
  });

  it("tells what it is", async () => {
    const opened = await openVdi(bytesSource(container));
    expect(opened).toMatchObject({ format: "vdi", size: disk.size, problems: [] });
    expect(opened!.details).toMatchObject({ variant: "dynamic", blocksAllocated: 2 });
  });

  const at = (name: string): number => vdiHeader.offsetOf(name);
  it.each([
    ["version 0", damaged(at("version") + 2, 0), "version 0.1"],
    ["a header that is too short", damaged(at("headerSize"), 0x40, 1), "header has 320 bytes"],
    ["a difference", damaged(at("parentUuid"), 1), "difference"],
    ["an unknown type", damaged(at("type"), 3), "type is 3"],
    ["other sectors", damaged(at("sectorSize") + 1, 16), "sectors have 4096 bytes"],
    ["other blocks", damaged(at("blockSize") + 2, 0x20), "2,097,152 bytes"],
    ["something before blocks", damaged(at("blockExtra"), 1), "1 bytes of something else"],
    ["too many blocks", damaged(at("blocks") + 3, 0xff), "4278190085 blocks"],
    ["too few blocks", damaged(at("blocks"), 4), "4 blocks do not hold"],
    ["a size within a sector", damaged(at("diskSize"), 1, 0, 0x40), "no multiple of a sector"],
    ["a map within a sector", damaged(at("mapOffset"), 1), "starts within a sector"],
    ["a map in the header", damaged(at("mapOffset"), 0, 0), "lies in its header"],
    ["data in the map", damaged(at("dataOffset"), 0, 2, 0), "data lies in its map"],
    ["more blocks than there are", damaged(at("blocksAllocated"), 6), "6 of 5 blocks"],
    ["a block beyond the end", damaged(512 + 4, 2, 0, 0, 0), "block 1 of the disk lies at 2"],
    ["a block twice", damaged(512 + 4, 1, 0, 0, 0), "as another one does"],
    ["a file that was cut off", container.slice(0, -1), "cut off"],
  ])("refuses %s", async (_, bytes, reason) => {
    await expect(openVdi(bytesSource(bytes))).rejects.toThrow(reason);
  });

  it("tells a wrong count", async () => {
    const opened = await openVdi(bytesSource(damaged(512 + 4, 0xff, 0xff, 0xff, 0xff)));
    expect(opened!.problems).toEqual(["the vdi header counts 2 blocks, its map 1"]);
  });

  it("reads blocks of zeros", async () => {
    const opened = await openVdi(bytesSource(damaged(512, 0xfe, 0xff, 0xff, 0xff)));
    expect(await opened!.read(0, 10)).toEqual(new Uint8Array(10));
  });
});
