import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesContent } from "../../src/extents/index.ts";
import { type Image, type ImageSpec, image } from "../../src/image/index.ts";
import { expandPreset, imageSpecOf } from "../../src/spec/convert.ts";
import type { Spec } from "../../src/spec/index.ts";
import { type Entry, treeDigest, treeOf } from "../../src/tree/index.ts";
import { anyRichTree } from "../support/trees.ts";

const file: Entry = {
  path: "/a",
  type: "file",
  content: "hello",
  mode: 0o644,
  uid: 1,
  gid: 2,
  mtime: 10n ** 18n,
};

/** Identifiers of several kinds. */
function idsOf({ diskGuid, diskSignature, identity }: Image): unknown[] {
  return [diskGuid, diskSignature, identity.uuid("filesystem/root"), identity.serial("filesystem/boot")];
}

const ids = (spec: Partial<ImageSpec>): unknown[] => idsOf(image({ root: treeOf([file]), ...spec }));

describe("the digest of a tree", () => {
  it("is the same in whatever order the entries come", () => {
    fc.assert(
      fc.property(
        anyRichTree(300).chain((entries) => fc.tuple(fc.constant(entries), shuffledFiles(entries))),
        ([entries, shuffled]) => {
          expect(treeDigest(treeOf(shuffled))).toBe(treeDigest(treeOf(entries)));
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each<[string, Partial<Entry>]>([
    ["a name", { path: "/b" }],
    ["a size", { content: "hello!" }],
    ["a mode", { mode: 0o600 }],
    ["a user", { uid: 5 }],
    ["a group", { gid: 5 }],
    ["a time", { mtime: 10n ** 18n + 1n }],
    ["an attribute", { xattrs: new Map([["user.a", Uint8Array.of(1)]]) }],
  ])("differs by %s", (_, change) => {
    expect(treeDigest(treeOf([{ ...file, ...change }]))).not.toBe(treeDigest(treeOf([file])));
  });

  it("differs by targets, devices, links and values of attributes", () => {
    const digests = [
      [{ path: "/l", type: "symlink", target: "a" }],
      [{ path: "/l", type: "symlink", target: "b" }],
      [{ path: "/l", type: "character", device: { major: 1, minor: 3 } }],
      [{ path: "/l", type: "character", device: { major: 3, minor: 1 } }],
      [file, { ...file, path: "/l" }],
      [file, { path: "/l", type: "hardlink", target: "/a" }],
      [{ ...file, xattrs: new Map([["user.a", Uint8Array.of(1)]]) }],
      [{ ...file, xattrs: new Map([["user.a", Uint8Array.of(2)]]) }],
      [{ ...file, xattrs: new Map([["user.b", Uint8Array.of(1)]]) }],
    ].map((entries) => treeDigest(treeOf(entries as Entry[])));
    expect(new Set(digests).size).toBe(digests.length);
  });

  it("does not differ by content of one size, and by holes", () => {
    const other = { ...file, content: "HELLO" };
    expect(treeDigest(treeOf([other]))).toBe(treeDigest(treeOf([file])));
    const large: Entry = { ...file, content: bytesContent(new Uint8Array(10_000)) };
    const sparse: Entry = { ...large, data: [{ offset: 4096, length: 4096 }] };
    expect(treeDigest(treeOf([sparse]))).toBe(treeDigest(treeOf([large])));
  });

  it("counts times as they are stored", () => {
    const late = { ...file, mtime: 2n * 10n ** 18n };
    const options = { time: 10 ** 9 };
    expect(treeDigest(treeOf([late]), options)).toBe(treeDigest(treeOf([file]), options));
    const early = { ...file, mtime: 5n };
    expect(treeDigest(treeOf([early]), options)).not.toBe(treeDigest(treeOf([file]), options));
  });

  it("leaves out owners, modes and links where they are not stored", () => {
    const options = { stored: "names" as const };
    const other = { ...file, uid: 9, gid: 9, mode: 0o600 };
    expect(treeDigest(treeOf([other]), options)).toBe(treeDigest(treeOf([file]), options));
    const linked = treeOf([file, { path: "/l", type: "hardlink", target: "/a" }]);
    expect(treeDigest(linked, options)).toBe(treeDigest(treeOf([file, { ...file, path: "/l" }]), options));
  });
});

describe("the identity of an image", () => {
  it("is that of its seed, whatever it holds", () => {
    expect(ids({ seed: "s", root: treeOf([]) })).toEqual(ids({ seed: "s" }));
  });

  it("differs by what the image holds", () => {
    const [one, two] = [ids({}), ids({ root: treeOf([{ ...file, path: "/b" }]) })];
    for (const [index, id] of one.entries()) expect(id).not.toBe(two[index]);
  });

  it.each<[string, Partial<ImageSpec>]>([
    ["the size", { size: "2G" }],
    ["the additional space", { additionalSpace: "1M" }],
    ["the layout", { layout: "legacy+gpt" }],
    ["the boot size", { bootSize: "300M" }],
    ["the label", { label: "other" }],
    ["the time", { time: 10 ** 9 }],
    ["the sector size", { sectorSize: 4096 }],
    ["the features", { rootFilesystem: { features: ["orphan_file"] } }],
    ["the table of mounts", { fstab: "uuid" }],
    ["the boot loader", { variant: "grub" }],
  ])("differs by %s", (_, change) => expect(ids(change)).not.toEqual(ids({})));

  it("does not differ by the format, or by a preset that is written out", () => {
    expect(ids({ sizeMultiple: 2 ** 30 })).toEqual(ids({}));
    const root = treeOf([file]);
    for (const layout of ["none", "legacy", "legacy+gpt", "efi", "efixbootldr", "hybrid"] as const) {
      const spec: Spec = { layout, label: "box" };
      expect(idsOf(image(imageSpecOf(expandPreset(spec), { root })))).toEqual(
        idsOf(image(imageSpecOf(spec, { root }))),
      );
    }
  });

  it("of make-disk-image.nix does not follow the tree", () => {
    expect(ids({ compat: "nixpkgs", root: treeOf([]) })).toEqual(ids({ compat: "nixpkgs" }));
  });
});

/** The same entries, those with other entries below or linked to them before these. */
function shuffledFiles(entries: readonly Entry[]): fc.Arbitrary<Entry[]> {
  const rank = ({ type }: Entry): number => (type === "directory" ? 0 : type === "hardlink" ? 2 : 1);
  const directories = entries.filter((entry) => rank(entry) === 0);
  const links = entries.filter((entry) => rank(entry) === 2);
  const others = entries.filter((entry) => rank(entry) === 1);
  return fc
    .shuffledSubarray(others, { minLength: others.length })
    .map((shuffled) => [...directories, ...shuffled, ...links]);
}
