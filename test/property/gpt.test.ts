import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Extent } from "../../src/extents/index.ts";
import {
  attributeNames,
  type GptPartitionSpec,
  type GptSpec,
  gptUsableRange,
  PARTITION_TYPES,
  parseAttributes,
  partitionTypeGuid,
  partitionTypeName,
  planGpt,
  readGpt,
  writeGpt,
} from "../../src/gpt/index.ts";
import { nearNames } from "../../src/tables/index.ts";
import { sparseDisk } from "../support/sparse-disk.ts";

const lba = fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 5000 }), fc.nat({ max: 2 ** 31 }));
const name = fc.oneof(
  fc.string({ unit: "binary", maxLength: 18 }).map((text) => text.replaceAll("\0", "␀")),
  fc.string({ unit: "grapheme-ascii", maxLength: 36 }),
  fc.string({ unit: fc.constantFrom("💾", "𝔹"), minLength: 17, maxLength: 18 }),
);
/** The bits that are not reserved: 0 to 2, and 48 to 63. */
const attributes = fc
  .tuple(fc.bigInt({ min: 0n, max: 7n }), fc.bigInt({ min: 0n, max: 0xffffn }))
  .map(([low, high]) => low | (high << 48n));
const type = fc.oneof(fc.constantFrom(...Object.keys(PARTITION_TYPES)), fc.uuid());

/** Types that a partition can have in a hybrid MBR: all but 0, those of containers, and the protective one. */
const hybridType = fc
  .integer({ min: 1, max: 255 })
  .filter((byte) => ![0x05, 0x0f, 0x85, 0xee].includes(byte));

const spec: fc.Arbitrary<GptSpec> = fc
  .record({
    sectorSize: fc.constantFrom(512 as const, 4096 as const),
    entryCount: fc.constantFrom(1, 4, 128, 129, 300),
    diskGuid: fc.uuid(),
    entriesLba: fc.constantFrom(2, 2, 3, 2048),
    firstUsableGap: fc.constantFrom(0, 0, 1, 2014),
    tail: lba,
    places: fc.array(fc.record({ gap: lba, size: lba, type, name, attributes }), { maxLength: 12 }),
    protectiveMbrBootable: fc.boolean(),
    protectiveMbrEntry: fc.constantFrom("first" as const, "last" as const),
    bootCode: fc.uint8Array({ maxLength: 440 }),
  })
  .chain(({ places: allPlaces, firstUsableGap, tail, ...rest }) => {
    const places = allPlaces.slice(0, rest.entryCount);
    const { firstUsableLba: lowest } = gptUsableRange({ ...rest, sectors: 1_000_000 });
    const firstUsableLba = lowest + firstUsableGap;
    let next = firstUsableLba;
    const ranges = places.map(({ gap, size }) => {
      const firstLba = next + gap;
      const lastLba = firstLba + size;
      next = lastLba + 1;
      return { firstLba, lastLba };
    });
    // The last sector of the disk is as far behind the usable ones as the table is long at its start.
    const sectors = next + 1 + tail + lowest - rest.entriesLba + 1;
    return fc
      .record({
        guids: fc.uniqueArray(fc.uuid(), { minLength: places.length, maxLength: places.length }),
        numbers: fc.shuffledSubarray(
          Array.from({ length: Math.min(rest.entryCount, 140) }, (_, index) => index + 1),
          { minLength: places.length, maxLength: places.length },
        ),
        order: fc.shuffledSubarray([...places.keys()], { minLength: places.length }),
        both: fc.shuffledSubarray([...places.keys()], { maxLength: Math.min(3, places.length) }),
        hybridTypes: fc.array(hybridType, { minLength: 3, maxLength: 3 }),
        active: fc.nat({ max: 5 }),
      })
      .map(({ guids, numbers, order, both, hybridTypes, active }): GptSpec => {
        const partitions = order.map((index): GptPartitionSpec => {
          const { type, name, attributes } = places[index]!;
          return { number: numbers[index]!, guid: guids[index]!, type, name, attributes, ...ranges[index]! };
        });
        const hybrid = both
          .filter((index) => ranges[index]!.lastLba < 2 ** 32)
          .map((index, place) => ({
            number: numbers[index]!,
            type: hybridTypes[place]!,
            bootable: place === active && !rest.protectiveMbrBootable,
          }));
        return { ...rest, firstUsableLba, sectors, partitions, hybrid };
      });
  });

function startOf({ partitions }: GptSpec, { number }: { number: number }): number {
  return partitions.find((partition) => partition.number === number)!.firstLba;
}

describe("GPT", () => {
  it("reads back what it writes", async () => {
    await fc.assert(
      fc.asyncProperty(spec, async (wanted) => {
        const sectorSize = wanted.sectorSize!;
        const plan = planGpt(wanted);
        const disk = sparseDisk(writeGpt(plan), wanted.sectors * sectorSize);
        const table = await readGpt(disk);
        expect(table).toEqual({
          sectorSize,
          diskGuid: wanted.diskGuid,
          revision: 0x10000,
          firstUsableLba: wanted.firstUsableLba,
          lastUsableLba: gptUsableRange(wanted).lastUsableLba,
          entryCount: wanted.entryCount,
          partitions: [...wanted.partitions]
            .sort((a, b) => a.number! - b.number!)
            .map((partition) => {
              const type = partitionTypeGuid(partition.type) ?? partition.type;
              return { ...partition, type, typeName: partitionTypeName(type) };
            }),
          entriesLba: wanted.entriesLba,
          hybrid: wanted.hybrid!.toSorted((a, b) => startOf(wanted, a) - startOf(wanted, b)),
          protectiveMbrEntry: wanted.hybrid!.length === 0 ? undefined : wanted.protectiveMbrEntry,
          problems: [],
          usedBackup: false,
        });
        expect(await readGpt(disk, { sectorSize })).toEqual(table);
        // The reading is itself a specification that gives the same plan.
        const again = planGpt({ ...wanted, ...table!, partitions: table!.partitions });
        expect(again).toEqual(plan);
      }),
    );
  });

  it("keeps its tables apart from all partitions, and in order", () => {
    fc.assert(
      fc.property(spec, (wanted) => {
        const plan = planGpt(wanted);
        let end = 0;
        for (const { position, length } of writeGpt(plan)) {
          expect(position).toBeGreaterThanOrEqual(end);
          end = position + length;
          for (const { firstLba, lastLba } of plan.partitions) {
            const [start, past] = [firstLba * plan.sectorSize, (lastLba + 1) * plan.sectorSize];
            expect(end <= start || position >= past).toBe(true);
          }
        }
        expect(end).toBe(wanted.sectors * plan.sectorSize);
      }),
    );
  });

  it("reads the backup when any byte of the primary copy is wrong", async () => {
    const tables = spec.map((wanted) => ({ wanted, plan: planGpt(wanted) }));
    await fc.assert(
      fc.asyncProperty(
        tables,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async ({ wanted, plan }, at, flip) => {
          const { sectorSize, entryCount } = plan;
          const extents = [...writeGpt(plan)].map((extent) => ({
            ...extent,
            source: (extent.source as Uint8Array).slice(),
          }));
          // The header and the entries of the primary copy are covered by checksums.
          const offset = at % (92 + 128 * entryCount);
          const [extent, byte] = offset < 92 ? [extents[1]!, offset] : [extents[2]!, offset - 92];
          extent.source[byte]! ^= flip;
          const disk = sparseDisk(extents, wanted.sectors * sectorSize);
          const table = await readGpt(disk, { sectorSize });
          const sound = await readGpt(sparseDisk(writeGpt(plan), disk.size));
          expect(table).toEqual({
            ...sound,
            entriesLba: undefined,
            usedBackup: true,
            problems: [expect.stringContaining("primary")],
          });
        },
      ),
    );
  });

  it("finds the name that was meant, whatever one slip made of it", () => {
    const names = Object.keys(PARTITION_TYPES).filter((name) => name.length > 4);
    const slip = fc.constantFrom(
      (text: string, at: number) => `${text.slice(0, at)}~${text.slice(at)}`,
      (text: string, at: number) => `${text.slice(0, at)}${text.slice(at + 1)}`,
      (text: string) => text.toUpperCase().replaceAll("-", "_"),
    );
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(), slip, (name, at, slipped) => {
        const near = nearNames(slipped(name, at % name.length), names);
        expect(near.length).toBeLessThanOrEqual(5);
        expect(near).toContain(name);
      }),
    );
  });

  it("names attributes so that the names mean them", () => {
    fc.assert(
      fc.property(attributes, fc.boolean(), (bits, joined) => {
        const names = attributeNames(bits);
        expect(parseAttributes(joined ? names.join(",") : names)).toBe(bits);
        expect(parseAttributes(`0x${bits.toString(16)}`)).toBe(bits);
        expect(parseAttributes(bits)).toBe(bits);
      }),
    );
  });

  it("survives every table, however hostile", async () => {
    const edit = fc.record({ position: fc.nat({ max: 40 * 512 }), bytes: fc.uint8Array({ maxLength: 16 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 6 }), fc.nat({ max: 512 * 200 }), async (edits, size) => {
        const plan = planGpt({
          sectors: 200,
          diskGuid: "97fd5997-f390-0b4a-a3f8-d106c1723aea",
          partitions: [],
        });
        const [, header] = [...writeGpt(plan)];
        const extents: Extent[] = [header!];
        for (const { position, bytes } of edits) {
          extents.push({ position, length: bytes.length, source: bytes, offset: 0 });
        }
        const disk = sparseDisk(extents, size);
        await readGpt(disk).catch((error) => expect(error).toMatchObject({ code: "CORRUPT" }));
      }),
    );
  });
});
