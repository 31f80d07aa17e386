import { describe, expect, it } from "vitest";
import { chooseFeatures } from "../../src/ext4/features.ts";
import { chooseFormat, splitOutput } from "../../src/formats/index.ts";
import { parseAttributes, planGpt } from "../../src/gpt/index.ts";
import { image } from "../../src/image/index.ts";
import { mbrTypeByte } from "../../src/mbr/index.ts";
import { instead, nearNames } from "../../src/tables/index.ts";
import { treeOf } from "../../src/tree/index.ts";

const GUID = "0fc63daf-8483-4772-8e79-3d69d8477de4";

describe("near names", () => {
  const names = ["auto", "minimal", "has_journal", "vpc", "vpc-fixed", "metadata_csum"];
  it.each<[string, string[]]>([
    ["atuo", ["auto"]],
    ["minmal", ["minimal"]],
    ["journal", ["has_journal"]],
    ["CSUM", ["metadata_csum"]],
    ["vpc", ["vpc", "vpc-fixed"]],
    ["vpc-dynamic", ["vpc"]],
    ["x", []],
    ["", []],
    ["a".repeat(65), []],
  ])("of %s", (mistyped, near) => expect(nearNames(mistyped, names)).toEqual(near));

  it("or all of them are named", () => {
    expect(instead("zzz", names, "any")).toBe("use any");
    expect(instead("has-jornal", names, "any")).toBe("did you mean has_journal?");
  });
});

describe("what is meant", () => {
  it.each([
    ["vhd", "vpc"],
    ["VHD", "vpc"],
    ["img", "raw"],
    ["gz", "raw-gzip"],
    ["zstd", "raw-zstd"],
    ["qcow", "qcow2"],
    ["vmdk-streamOptimized", "vmdk-stream"],
    ["qcow2-compresed", "qcow2-compressed"],
  ])("by the format %s", (name, meant) => {
    expect(() => chooseFormat(name, "x")).toThrow(`cannot be written: did you mean ${meant}`);
    expect(() => splitOutput(`${name}:x`)).toThrow(`did you mean ${meant}`);
  });

  it.each([
    ["uefi", "efi"],
    ["mbr", "legacy"],
    ["hybird", "hybrid"],
    ["legacy-gpt", "legacy+gpt"],
  ])("by the layout %s", (layout, meant) => {
    const spec = { root: treeOf([]), layout: layout as "efi" };
    expect(() => image(spec)).toThrow(`layout "${layout}": did you mean ${meant}`);
  });

  it.each([
    ["efi", "esp"],
    ["EF00", "esp"],
    ["bios_grub", "bios-boot"],
    ["ext4", "linux-generic"],
    ["8200", "swap"],
    ["vfat", "ms-basic-data"],
    ["root-x86_64", "root-x86-64"],
    ["hoem", "home"],
  ])("by the GPT type %s", (type, meant) => {
    const partition = { type, guid: GUID, firstLba: 64, lastLba: 95 };
    const wrong = () => planGpt({ sectors: 256, diskGuid: GUID, partitions: [partition] });
    expect(wrong).toThrow(`did you mean ${meant}`);
  });

  it.each([
    ["efi", "esp"],
    ["ext4", "linux-generic"],
    ["vfat", "fat32-lba"],
    ["swpa", "swap"],
  ])("by the MBR type %s", (type, meant) => {
    expect(() => mbrTypeByte(type)).toThrow(`did you mean ${meant}`);
  });

  it("by features, types and attributes", () => {
    expect(() => chooseFeatures("ext4", ["journal"])).toThrow("did you mean has_journal?");
    expect(() => chooseFeatures("ext4", ["^metadata_csums"])).toThrow("did you mean metadata_csum");
    expect(() => chooseFeatures("ext4", ["\u001b[31m"])).toThrow(/there is no feature "\\x1b/i);
    expect(() => chooseFeatures("ex4" as "ext4")).toThrow("did you mean ext4");
    expect(() => parseAttributes("readonly")).toThrow("did you mean read-only?");
  });
});
