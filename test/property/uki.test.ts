import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { peSections, planUki, readUki } from "../../src/boot/index.ts";
import { DiskwrightError } from "../../src/errors.ts";
import { bytesContent, bytesSource, contentBytes } from "../../src/extents/index.ts";
import { anyDamage } from "../support/damage.ts";
import { efiStub } from "../support/efi-stub.ts";

const anyBytes = fc.uint8Array({ minLength: 1, maxLength: 1500 });
const line = fc.string({ minLength: 1 }).map((any) => any.replaceAll(/[\0\n]/g, "_"));

const parts = fc.record(
  {
    kernel: anyBytes,
    commandLine: line,
    uname: line,
    osRelease: anyBytes,
    initrds: fc.array(anyBytes, { maxLength: 3 }),
    splash: anyBytes,
    deviceTree: anyBytes,
  },
  { requiredKeys: ["kernel"] },
);
const machines = fc.constantFrom(0x14c, 0x8664, 0xaa64, 0x5064);

function planned(
  stub: Uint8Array,
  given: typeof parts extends fc.Arbitrary<infer Parts> ? Parts : never,
): ReturnType<typeof planUki> {
  const { kernel, initrds, osRelease, splash, deviceTree, ...texts } = given;
  return planUki({
    stub,
    ...texts,
    kernel: bytesContent(kernel),
    initrds: initrds?.map(bytesContent),
    osRelease: osRelease && bytesContent(osRelease),
    splash: splash && bytesContent(splash),
    deviceTree: deviceTree && bytesContent(deviceTree),
  });
}

describe("a unified kernel image", () => {
  it("holds what it was made of, in places that do not overlap", async () => {
    await fc.assert(
      fc.asyncProperty(machines, parts, async (machine, given) => {
        const { content, sections } = planned(efiStub({ machine }), given);
        const file = await contentBytes(content, undefined);
        expect(file.length).toBe(content.size);
        expect(peSections(file)).toEqual(sections);
        for (const [index, section] of sections.entries()) {
          const next = sections[index + 1];
          expect(section.position + section.storedSize).toBeLessThanOrEqual(next?.position ?? file.length);
          expect(section.virtualAddress + section.virtualSize).toBeLessThanOrEqual(
            next?.virtualAddress ?? 2 ** 32,
          );
        }
        const held = (wanted: string): Buffer | undefined => {
          const found = sections.find(({ name }) => name === wanted);
          return found && Buffer.from(file.subarray(found.position, found.position + found.size));
        };
        const expected: [string, Uint8Array | string | undefined][] = [
          [".linux", given.kernel],
          [".cmdline", given.commandLine],
          [".uname", given.uname],
          [".osrel", given.osRelease],
          [".splash", given.splash],
          [".dtb", given.deviceTree],
        ];
        for (const [name, value] of expected) {
          expect(held(name), name).toEqual(value && Buffer.from(value as Uint8Array));
        }
        let at = 0;
        for (const initrd of given.initrds ?? []) {
          expect(
            held(".initrd")!
              .subarray(at, at + initrd.length)
              .equals(initrd),
          ).toBe(true);
          at += Math.ceil(initrd.length / 4) * 4;
        }
      }),
    );
  });

  it("is read or refused when it, or its stub, is damaged", async () => {
    const refusable = async (work: () => unknown): Promise<void> => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof DiskwrightError)) throw error;
      }
    };
    await fc.assert(
      fc.asyncProperty(machines, parts, anyDamage, fc.nat(2048), async (machine, given, damage, cut) => {
        const stub = efiStub({ machine });
        // Of its 2048 bytes, the first 600 are headers.
        const damaged = Uint8Array.from([...damage(stub.subarray(0, 600)), ...stub.subarray(600)]);
        await refusable(() => peSections(damaged));
        await refusable(() => peSections(stub.subarray(0, cut)));
        await refusable(() => contentBytes(planned(damaged, given).content, undefined));
        const file = await contentBytes(planned(stub, given).content, undefined);
        const broken = Uint8Array.from([...damage(file.subarray(0, 900)), ...file.subarray(900)]);
        await refusable(() => readUki(bytesSource(broken)));
        await refusable(() => readUki(bytesSource(file.subarray(0, cut))));
      }),
    );
  });
});
