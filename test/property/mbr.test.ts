import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isExtended,
  type MbrPartitionSpec,
  type MbrSpec,
  mbrTypeName,
  PARTED_FILE_GEOMETRY,
  planMbr,
  readMbr,
  STANDARD_GEOMETRY,
  writeMbr,
} from "../../src/mbr/index.ts";
import { sparseDisk } from "../support/sparse-disk.ts";

const length = fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 5000 }), fc.nat({ max: 2 ** 27 }));
const type = fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0xee && !isExtended(byte));
const place = fc.record({ gap: length, size: length, type });

/** Lays places one after the other, with at least `apart` sectors between them. */
function layOut(
  places: readonly { gap: number; size: number; type: number }[],
  from: number,
  apart: number,
): { partitions: MbrPartitionSpec[]; end: number } {
  let end = from;
  const partitions = places.map(({ gap, size, type }) => {
    const firstLba = end + apart + gap;
    end = firstLba + size + 1;
    return { type, firstLba, sectors: size + 1 };
  });
  return { partitions, end };
}

const spec: fc.Arbitrary<MbrSpec> = fc
  .record({
    sectorSize: fc.constantFrom(512 as const, 4096 as const),
    signature: fc.integer({ min: 1, max: 0xffffffff }),
    before: fc.array(place, { maxLength: 3 }),
    containerType: fc.constantFrom(0x05, 0x0f, 0x85),
    hasContainer: fc.boolean(),
    inside: fc.array(place, { maxLength: 9 }),
    tail: length,
    active: fc.nat({ max: 12 }),
    numbers: fc.shuffledSubarray([1, 2, 3, 4], { minLength: 4 }),
    geometry: fc.constantFrom(STANDARD_GEOMETRY, PARTED_FILE_GEOMETRY),
    bootCode: fc.uint8Array({ maxLength: 440 }).filter((code) => code[0] !== 0xeb && code[0] !== 0xe9),
  })
  .map(({ before, containerType, hasContainer, inside, tail, active, numbers, ...rest }): MbrSpec => {
    const primary = layOut(before, 1, 0);
    const logical = hasContainer ? layOut(inside, primary.end, 1) : { partitions: [], end: primary.end };
    const container = {
      type: containerType,
      firstLba: primary.end,
      sectors: logical.end - primary.end + tail + 1,
    };
    const all = hasContainer ? [...primary.partitions, container] : primary.partitions;
    const flag = <Partition>(partition: Partition, index: number) =>
      index === active ? { ...partition, bootable: true } : partition;
    return {
      ...rest,
      sectors: logical.end + tail + 1,
      partitions: all.map((partition, index) => ({ ...flag(partition, index), number: numbers[index]! })),
      logical: logical.partitions.map((partition, index) => flag(partition, index + all.length)),
    };
  })
  .filter(({ sectors }) => sectors < 2 ** 32);

describe("MBR", () => {
  it("reads back what it writes", async () => {
    await fc.assert(
      fc.asyncProperty(spec, async (wanted) => {
        const sectorSize = wanted.sectorSize!;
        const disk = sparseDisk(writeMbr(planMbr(wanted)), wanted.sectors * sectorSize);
        const primary = [...wanted.partitions].sort((a, b) => a.number! - b.number!);
        const logical = wanted.logical!.map((partition, index) => ({ ...partition, number: 5 + index }));
        expect(await readMbr(disk, { sectorSize })).toEqual({
          signature: wanted.signature,
          partitions: [...primary, ...logical].map(
            ({ number, type, firstLba, sectors, bootable = false }) => ({
              number,
              bootable,
              type,
              typeName: mbrTypeName(type),
              firstLba,
              sectors,
            }),
          ),
          problems: [],
        });
      }),
    );
  });

  it("keeps its records apart from all partitions, and in order", () => {
    fc.assert(
      fc.property(spec, (wanted) => {
        const plan = planMbr(wanted);
        let end = 0;
        for (const { position, length } of writeMbr(plan)) {
          expect(position).toBeGreaterThanOrEqual(end);
          end = position + length;
          for (const partition of [...plan.partitions, ...plan.logical]) {
            if (partition === plan.container) continue;
            const start = partition.firstLba * plan.sectorSize;
            const past = start + partition.sectors * plan.sectorSize;
            expect(end <= start || position >= past).toBe(true);
          }
        }
        expect(end).toBeLessThanOrEqual(wanted.sectors * plan.sectorSize);
      }),
    );
  });

  it("survives every table, however hostile", async () => {
    const entry = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const small = fc
      .tuple(fc.constantFrom(0x05, 0x0f, 0x83), fc.nat({ max: 12 }), fc.nat({ max: 12 }))
      .map(([type, start, count]) =>
        Uint8Array.of(0, 0, 0, 0, type, 0, 0, 0, start, 0, 0, 0, count, 0, 0, 0),
      );
    const sector = fc
      .array(fc.oneof(small, entry), { minLength: 4, maxLength: 4 })
      .map((entries) =>
        Uint8Array.from([...Array(446).fill(0), ...entries.flatMap((one) => [...one]), 0x55, 0xaa]),
      );
    await fc.assert(
      fc.asyncProperty(fc.array(sector, { minLength: 1, maxLength: 10 }), async (sectors) => {
        const bytes = Uint8Array.from(sectors.flatMap((one) => [...one]));
        const disk = sparseDisk(
          [{ position: 0, length: bytes.length, source: bytes, offset: 0 }],
          bytes.length,
        );
        const table = await readMbr(disk);
        expect(table!.partitions.length).toBeLessThanOrEqual(4 + 3 * 251);
      }),
    );
  });
});
