import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addBootEntry,
  bootEntries,
  decodeDevicePaths,
  decodeLoadOption,
  deleteBootEntry,
  EFI_GLOBAL_VARIABLE,
  encodeDevicePath,
  encodeLoadOption,
  openVariables,
} from "../../src/boot/index.ts";
import { roundUp } from "../../src/bytes/index.ts";
import { DiskwrightError } from "../../src/errors.ts";
import { anyDamage } from "../support/damage.ts";
import { emptyFlash, FIRST_RECORD } from "../support/efi-variables.ts";

const VENDORS = [EFI_GLOBAL_VARIABLE, "4c19049f-4137-4dd3-9c10-8b97a83ffdfa"];

const change = fc.record({
  name: fc.oneof(
    fc.constantFrom("A", "B", "BootOrder"),
    fc.string({ minLength: 1, maxLength: 8, unit: "binary" }),
  ),
  vendor: fc.constantFrom(...VENDORS),
  attributes: fc.constantFrom(3, 7),
  data: fc.option(fc.uint8Array({ minLength: 1, maxLength: 200 }), { nil: undefined }),
});
const changes = fc
  .array(change, { maxLength: 40 })
  .map((all) => all.filter(({ name }) => !name.includes("\0")));
const formats = fc.constantFrom("authenticated" as const, "plain" as const);

const partition = fc
  .record({ number: fc.nat(), firstLba: fc.maxSafeNat(), sectors: fc.maxSafeNat() })
  .chain((place) =>
    fc.oneof(
      fc.uuid().map((guid) => ({ ...place, guid })),
      fc.nat().map((signature) => ({ ...place, signature })),
    ),
  );

/** Runs `work`, which may refuse its input with one of our errors, and with nothing else. */
function refusable(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof DiskwrightError)) throw error;
    expect(["CORRUPT", "UNSUPPORTED_IMAGE"]).toContain(error.code);
  }
}

describe("the variables of firmware", () => {
  it("are what was set and not deleted, whatever was done before", () => {
    fc.assert(
      fc.property(formats, changes, (format, all) => {
        const flash = emptyFlash({ format });
        let variables = openVariables(flash);
        const expected = new Map<string, unknown>();
        for (const [index, { name, vendor, attributes, data }] of all.entries()) {
          const key = `${vendor} ${name}`;
          if (data === undefined) {
            expect(variables.delete(name, vendor)).toBe(expected.delete(key));
          } else {
            variables.set(name, data, { vendor, attributes });
            expected.set(key, { name, vendor, attributes, data });
          }
          if (index % 8 === 7) variables = openVariables(variables.toBytes());
        }
        expect([...variables.entries()]).toEqual([...expected.values()]);
        const bytes = variables.toBytes();
        expect(Buffer.compare(openVariables(bytes).toBytes(), bytes)).toBe(0);
        // What lies around the records is as it was, and nothing but them is in the store.
        const end = FIRST_RECORD + variables.used;
        expect(Buffer.compare(bytes.subarray(0, FIRST_RECORD), flash.subarray(0, FIRST_RECORD))).toBe(0);
        expect(Buffer.compare(bytes.subarray(end), flash.subarray(end))).toBe(0);
      }),
    );
  });

  it("fit, or are refused with the bytes that are missing", () => {
    fc.assert(
      fc.property(fc.integer({ min: 28, max: 2000 }), changes, (storeSize, all) => {
        const variables = openVariables(emptyFlash({ storeSize }));
        for (const { name, data, attributes } of all) {
          if (data === undefined) continue;
          const before = [...variables.entries()];
          const old = variables.get(name);
          const room = (length: number): number => roundUp(60 + 2 * name.length + 2 + length, 4);
          const needed = variables.used - (old === undefined ? 0 : room(old.data.length)) + room(data.length);
          const missing = needed - variables.capacity;
          const set = (): void => variables.set(name, data, { attributes });
          if (missing <= 0) set();
          else {
            expect(set).toThrow(expect.objectContaining({ code: "DOES_NOT_FIT", missingBytes: missing }));
            expect([...variables.entries()]).toEqual(before);
          }
        }
        expect([...openVariables(variables.toBytes()).entries()]).toEqual([...variables.entries()]);
      }),
    );
  });

  it("are read or refused when they are damaged", () => {
    fc.assert(
      fc.property(formats, changes, anyDamage, (format, all, damage) => {
        const variables = openVariables(emptyFlash({ format, volumeSize: 8192, storeSize: 4096 }));
        for (const { name, data } of all) {
          if (data !== undefined && variables.used + 300 < variables.capacity) variables.set(name, data);
        }
        refusable(() => {
          const read = openVariables(damage(variables.toBytes()));
          const again = openVariables(read.toBytes());
          expect([...again.entries()]).toEqual([...read.entries()]);
        });
      }),
    );
  });
});

describe("boot entries", () => {
  it("are in the order in which they were put", () => {
    const step = fc.record({ entry: fc.nat(5), first: fc.boolean(), isDeleted: fc.boolean() });
    fc.assert(
      fc.property(partition, fc.array(step), (place, steps) => {
        const variables = openVariables(emptyFlash());
        const numbers = new Map<number, number>();
        let order: number[] = [];
        for (const { entry, first, isDeleted } of steps) {
          order = order.filter((other) => other !== entry);
          if (isDeleted) {
            expect(deleteBootEntry(variables, numbers.get(entry) ?? 99)).toBe(numbers.delete(entry));
            continue;
          }
          order = first ? [entry, ...order] : [...order, entry];
          const title = `entry ${entry}`;
          numbers.set(entry, addBootEntry(variables, { title, path: "/x", partition: place, first }));
        }
        expect(new Set(numbers.values()).size).toBe(numbers.size);
        expect(bootEntries(variables).map(({ number, option }) => [number, option.description])).toEqual(
          order.map((entry) => [numbers.get(entry), `entry ${entry}`]),
        );
        expect(bootEntries(variables).every(({ isOrdered }) => isOrdered)).toBe(true);
      }),
    );
  });

  it("of any kind are decoded as they were encoded", () => {
    const text = fc.string({ unit: "binary" }).map((any) => any.replaceAll("\0", ""));
    const node = fc.oneof(
      partition.map((place) => ({ type: "partition" as const, partition: place })),
      text.map((path) => ({ type: "file" as const, path })),
    );
    const option = fc.record({
      attributes: fc.nat(),
      description: text,
      paths: fc.array(fc.array(node, { maxLength: 3 }), { maxLength: 3 }),
      data: fc.uint8Array(),
    });
    fc.assert(
      fc.property(option, (any) => {
        const bytes = encodeLoadOption(any);
        expect(decodeLoadOption(bytes)).toEqual(any);
      }),
    );
  });

  it("are encoded as they were decoded, whatever they hold", () => {
    const node = fc.tuple(
      fc.constantFrom(1, 4, 4, 0x7f),
      fc.constantFrom(1, 4, 5, 0xff),
      fc.uint8Array({ maxLength: 50 }),
    );
    const partitionNode = fc.tuple(
      fc.constant(4),
      fc.constant(1),
      fc.uint8Array({ minLength: 38, maxLength: 38 }),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(node, partitionNode)), (nodes) => {
        const bytes = Buffer.concat([
          ...nodes.map(([type, subtype, data]) => {
            // The end of a path holds nothing.
            const held = type === 0x7f && subtype === 0xff ? new Uint8Array(0) : data;
            return Uint8Array.of(type, subtype, 4 + held.length, 0, ...held);
          }),
          Uint8Array.of(0x7f, 0xff, 4, 0),
        ]);
        const paths = decodeDevicePaths(bytes);
        expect(Buffer.concat(paths.map(encodeDevicePath)).equals(bytes)).toBe(true);
      }),
    );
  });

  it("are read or refused when they are damaged", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.uint8Array({ minLength: 1, maxLength: 9 }),
        (option, order) => {
          const variables = openVariables(emptyFlash());
          if (option.length > 0) variables.set("Boot0000", option);
          variables.set("BootOrder", order);
          refusable(() => void bootEntries(variables));
        },
      ),
    );
    fc.assert(
      fc.property(partition, anyDamage, (place, damage) => {
        const variables = openVariables(emptyFlash());
        addBootEntry(variables, { title: "title", path: "/EFI/x", partition: place });
        const damaged = damage(variables.get("Boot0000")!.data);
        refusable(() => {
          const option = decodeLoadOption(damaged);
          expect(decodeLoadOption(encodeLoadOption(option))).toEqual(option);
        });
      }),
    );
  });
});
