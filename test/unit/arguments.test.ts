import { describe, expect, it } from "vitest";
import { planExt4, writeExt4 } from "../../src/ext4/index.ts";
import {
  blobContent,
  bytesContent,
  joinedContent,
  sequentialTarget,
  sweep,
} from "../../src/extents/index.ts";
import { planFat, writeFat } from "../../src/fat32/index.ts";
import { planGpt, writeGpt } from "../../src/gpt/index.ts";
import {
  describe as describeImage,
  type Entry,
  image,
  memoryTarget,
  plan,
  treeOf,
  write,
} from "../../src/index.ts";
import { planMbr, protectiveMbr } from "../../src/mbr/index.ts";
import {
  assemble,
  directory,
  fileTarget,
  openImage,
  packers,
  rawFile,
  stage,
  tarArchive,
} from "../../src/node/index.ts";
import { planQcow2 } from "../../src/qcow2/index.ts";
import { ownedBy } from "../../src/tree/index.ts";
import { planVdi } from "../../src/vdi/index.ts";
import { runInImage, runInPlannedImage, startImage } from "../../src/vm/index.ts";

const UUID = "3e4c2b8a-0d35-4c9a-a0f2-6f2f0c1d7e11";

/** What JavaScript hands over where TypeScript would refuse it. */
// biome-ignore lint/suspicious/noExplicitAny: the point of these tests
const wrong = (value: unknown): any => value;

describe("treeOf", () => {
  it.each<[string, unknown, string]>([
    ["an unknown field", { path: "/a", kind: "file" }, '/a has a field "kind" that is not known to an entry'],
    ["a mistyped field", { path: "/a", type: "file", contents: "x" }, "did you mean content?"],
    ["an unknown type", { path: "/a", type: "dir" }, '/a: type is "dir": give one of "file", "directory"'],
    ["a mistyped type", { path: "/a", type: "directroy" }, 'did you mean "directory"?'],
    ["no type", { path: "/a" }, "/a: type is missing"],
    ["no path", { type: "file" }, "entries[0]: path is missing"],
    ["content that is none", { path: "/a", type: "file", content: 12 }, "/a: content is 12"],
    ["content of null", { path: "/a", type: "file", content: null }, "/a: content is null"],
    ["a buffer", { path: "/a", type: "file", content: new ArrayBuffer(3) }, "content is an ArrayBuffer"],
    ["a promise", { path: "/a", type: "file", content: Promise.resolve("x") }, "content is a Promise"],
    [
      "content of a wrong size",
      { path: "/a", type: "file", content: { type: "bytes", size: 9, bytes: new Uint8Array(2) } },
      "content.size is 9, but there are 2 bytes",
    ],
    [
      "content of an unknown type",
      { path: "/a", type: "file", content: { type: "byte", size: 0 } },
      'content.type is "byte": did you mean "bytes"?',
    ],
    [
      "content without a size",
      { path: "/a", type: "file", content: { type: "function", read: () => 0 } },
      "content.size is missing",
    ],
    ["a time in seconds", { path: "/a", type: "file", mtime: 1.7e9 }, "nanoseconds since 1970 as a BigInt"],
    ["a Date", { path: "/a", type: "file", mtime: new Date(0) }, "/a: mtime is a Date"],
    ["a mode as text", { path: "/a", type: "file", mode: "755" }, '/a: mode is "755": give a number'],
    ["an owner of NaN", { path: "/a", type: "file", uid: Number.NaN }, "/a: owner NaN is not within"],
    ["content of a directory", { path: "/a", type: "directory", content: "x" }, "which has no content"],
    ["a target of a file", { path: "/a", type: "file", target: "/b" }, "which has no target"],
    ["a device of a fifo", { path: "/a", type: "fifo", device: { major: 1, minor: 3 } }, "has no device"],
    ["a device that is text", { path: "/a", type: "block", device: "8:0" }, '/a: device is "8:0"'],
    ["a link to a number", { path: "/a", type: "symlink", target: 5 }, "/a: target is 5"],
    ["no entry", "a", 'entries[0] is "a": give an entry'],
    ["nothing", null, "entries[0] is null: give an entry"],
  ])("refuses %s", (_, entry, message) => {
    expect(() => treeOf(wrong([entry]))).toThrow(expect.objectContaining({ code: "INVALID_TREE" }));
    expect(() => treeOf(wrong([entry]))).toThrow(message);
  });

  it.each([["/a"], [5], [null], [undefined], [{}]])("refuses %s in place of entries", (entries) => {
    expect(() => treeOf(wrong(entries))).toThrow(TypeError);
    expect(() => treeOf(wrong(entries))).toThrow(/^entries is /);
  });

  it("looks at what classes give by getters", () => {
    class Row {
      get path(): string {
        return "/a";
      }
      get type(): string {
        return "dir";
      }
    }
    expect(() => treeOf(wrong([new Row()]))).toThrow('type is "dir"');
  });

  it("names all entries that are wrong at once", () => {
    expect(() => treeOf(wrong([{ path: "/a" }, { path: "/b", type: "x" }]))).toThrow(/\/a.*\n.*\/b/);
  });

  it("takes fields that are undefined as missing", () => {
    expect(treeOf(wrong([{ path: "/a", type: "file", mtime: undefined, other: undefined }])).length).toBe(2);
  });

  it("refuses owners that are no ids", () => {
    for (const id of ["0", -1, Number.NaN, 1.5, 2 ** 32, undefined]) {
      expect(() => ownedBy(treeOf([]), wrong(id), 0)).toThrow(/^uid is /);
      expect(() => ownedBy(treeOf([]), 0, wrong(id))).toThrow(/^gid is /);
    }
  });
});

/** The bytes of an ext4 filesystem with one file. */
async function filesystemWith(content: Entry["content"]): Promise<Uint8Array> {
  const plan = planExt4(treeOf([{ path: "/a", type: "file", content: content! }]), { uuid: UUID });
  const target = memoryTarget();
  await target.begin(plan.size);
  await sweep(writeExt4(plan), (position, bytes) => target.write(position, bytes));
  await target.commit();
  return target.bytes;
}

/** Whether bytes are the same: the reports of `toEqual` take seconds for a filesystem. */
function equals(expected: Uint8Array): (bytes: Uint8Array) => boolean {
  return (bytes) => Buffer.compare(bytes, expected) === 0;
}

describe("content", () => {
  const bytes = Uint8Array.from({ length: 700_001 }, (_, index) => (index * 7) % 251);

  it.each(["", "text/plain", "file", "bytes", "function"])(
    "is taken from a Blob of the type %j",
    async (type) => {
      expect(await filesystemWith(new Blob([bytes], { type }))).toSatisfy(
        equals(await filesystemWith(bytes)),
      );
    },
  );

  it("is taken from a File, in parts", async () => {
    expect(await filesystemWith(new File([bytes], "a.bin"))).toSatisfy(equals(await filesystemWith(bytes)));
  });

  it("says which file cannot be read any more", async () => {
    const file = Object.assign(new File([bytes], "a.bin"), {
      slice: () => ({ arrayBuffer: () => Promise.reject(new Error("gone")) }),
    });
    await expect(filesystemWith(file)).rejects.toThrow('the file "a.bin" cannot be read any more');
  });

  it("that ends early is noticed", async () => {
    const blob = Object.assign(new Blob([bytes]), {
      slice: () => ({ arrayBuffer: async () => new ArrayBuffer(0) }),
    });
    await expect(filesystemWith(blob)).rejects.toThrow("ended at byte 0");
  });

  it.each([undefined, null, Number.NaN, -1, 1.5, 1e9, "3"])(
    "refuses a function that read %s bytes",
    async (count) => {
      for (const read of [() => count, async () => count]) {
        const content = { type: "function", size: 10, read: wrong(read) } as const;
        await expect(filesystemWith(content)).rejects.toThrow(TypeError);
      }
    },
  );

  it("is checked where it is made", () => {
    expect(() => bytesContent(wrong("x"))).toThrow('bytes is "x": give a Uint8Array');
    expect(() => blobContent(wrong(bytes))).toThrow(TypeError);
    expect(() => joinedContent(wrong([bytesContent(bytes), "x"]))).toThrow('parts[1] is "x"');
    expect(() => sequentialTarget(wrong("disk.img"))).toThrow("write is ");
  });

  it("in memory that is shorter than its extent is noticed, large or small", async () => {
    for (const length of [10, 400_000]) {
      const extent = { position: 0, length, source: new Uint8Array(length - 1), offset: 0 };
      await expect(sweep([extent], () => {})).rejects.toThrow(`ended at byte ${length - 1}`);
    }
  });

  it("is swept from extents that say where they lie", async () => {
    const extent = { position: 0, length: 1, source: new Uint8Array(1), offset: 0 };
    for (const field of ["position", "length", "offset"]) {
      await expect(sweep([{ ...extent, [field]: Number.NaN }], () => {})).rejects.toThrow(TypeError);
    }
  });
});

describe("image, plan and write", () => {
  const root = treeOf([{ path: "/a", type: "file", content: "x" }]);
  const planned = plan(image({ root, seed: "arguments" }));

  it.each<[string, unknown, string]>([
    ["no description", undefined, "spec is missing"],
    ["no tree", {}, "spec.root is missing: give a Tree"],
    ["a path for a tree", { root: "./tree" }, 'spec.root is "./tree": give a Tree'],
    ["a mistyped field", { root, sise: "10G" }, 'spec has a field "sise"'],
    ["a seed that is a number", { root, seed: 5 }, "spec.seed is 5: give text"],
    ["a time as text", { root, time: "0" }, 'spec.time is "0": give a number'],
    ["boot code as text", { root, bootCode: "x" }, 'spec.bootCode is "x": give a Uint8Array'],
    ["another compat", { root, compat: "nixos" }, 'spec.compat is "nixos"'],
    ["options of ext4", { root, rootFilesystem: { journalsize: 5 } }, "did you mean journalSize?"],
    [
      "a layout without a table",
      { root, layout: { name: "x", partitions: [] } },
      "spec.layout.table is missing",
    ],
    [
      "a filesystem of another type",
      {
        root,
        layout: {
          name: "x",
          table: "gpt",
          partitions: [{ name: "a", type: "esp", size: "rest", filesystem: { type: "xfs" } }],
        },
      },
      'spec.layout.partitions[0].filesystem.type is "xfs"',
    ],
  ])("image refuses %s", (_, spec, message) => {
    expect(() => image(wrong(spec))).toThrow(TypeError);
    expect(() => image(wrong(spec))).toThrow(message);
  });

  it("image refuses multiples of sizes that are none", () => {
    for (const sizeMultiple of [0, -1, Number.NaN, 1.5]) {
      expect(() => image({ root, sizeMultiple })).toThrow("size multiple of");
    }
  });

  it("plan wants what image gives", () => {
    for (const value of [undefined, null, {}, { root }, "disk.img"]) {
      expect(() => plan(wrong(value))).toThrow(/^image[ .]/);
    }
  });

  it("describe wants what plan gives, and takes a plan that was copied", () => {
    expect(() => describeImage(wrong({}))).toThrow(/^plan/);
    expect(describeImage({ ...planned })).toEqual(describeImage(planned));
  });

  it.each<[string, unknown[], string]>([
    [
      "a path for a target",
      [planned, "disk.img"],
      'target is "disk.img": give a Target, such as fileTarget(path)',
    ],
    ["an unknown format", [planned, memoryTarget(), { format: "qcow" }], 'did you mean "qcow2"?'],
    [
      "an unknown format of an output",
      [planned, [{ format: "vhd", target: memoryTarget() }]],
      "target[0].format",
    ],
    ["a format beside outputs", [planned, [{ target: memoryTarget() }], { format: "raw" }], "options.format"],
    ["a mistyped option", [planned, memoryTarget(), { onprogress: () => {} }], "did you mean onProgress?"],
    ["a signal that is none", [planned, memoryTarget(), { signal: true }], "options.signal is true"],
    ["a tree for a plan", [root, memoryTarget()], "plan has a field"],
  ])("write refuses %s", async (_, [first, second, third], message) => {
    await expect(write(wrong(first), wrong(second), wrong(third))).rejects.toThrow(TypeError);
    await expect(write(wrong(first), wrong(second), wrong(third))).rejects.toThrow(message);
  });
});

describe("tables, filesystems and formats", () => {
  const root = treeOf([]);

  it.each<[string, () => unknown, string]>([
    ["planGpt of nothing", () => planGpt(wrong(undefined)), "spec is missing"],
    [
      "planGpt without partitions",
      () => planGpt(wrong({ sectors: 9, diskGuid: UUID })),
      "spec.partitions is missing",
    ],
    [
      "planMbr of text",
      () => planMbr(wrong({ sectors: "9", signature: 1, partitions: [] })),
      'spec.sectors is "9"',
    ],
    ["planExt4 without options", () => planExt4(root, wrong(undefined)), "options is missing"],
    ["planExt4 without a uuid", () => planExt4(root, wrong({})), "options.uuid is missing: give text"],
    ["planExt4 of entries", () => planExt4(wrong([]), { uuid: UUID }), "tree is an array: give a Tree"],
    ["planFat without a serial", () => planFat(root, wrong({})), "options.serial is missing"],
    [
      "planQcow2 of text",
      () => planQcow2(wrong({ size: "1048576" })),
      'spec.size is "1048576": give a number',
    ],
    ["planVdi of a word", () => planVdi(wrong({ size: 512, variant: "fixed" })), 'spec.variant is "fixed"'],
    ["protectiveMbr of nothing", () => protectiveMbr(wrong(Number.NaN)), "sectors is NaN"],
    ["writeGpt of a specification", () => writeGpt(wrong({ sectors: 9 })), "plan."],
    ["writeExt4 of an object", () => writeExt4(wrong({})), "plan is an object: give what planExt4 gives"],
    ["writeFat of a tree", () => writeFat(wrong(root)), "plan is a Tree: give what planFat gives"],
  ])("%s is refused", (_, call, message) => {
    expect(call).toThrow(TypeError);
    expect(call).toThrow(message);
  });
});

describe("diskwright/node and diskwright/vm", () => {
  const script = { script: 5, root: { partition: 1 }, image: "disk.img", kernel: {} };

  it.each<[string, () => unknown, string]>([
    ["directory of nothing", () => directory(wrong(undefined)), "path is missing"],
    ["directory of an empty path", () => directory(""), 'path is "": give the path of a file as text'],
    ["directory with a pattern", () => directory("/", { exclude: wrong("*.o") }), 'options.exclude is "*.o"'],
    ["tarArchive of bytes", () => tarArchive(wrong(new Uint8Array(3))), "source is a Uint8Array"],
    ["fileTarget of nothing", () => fileTarget(wrong(undefined)), "path is missing"],
    [
      "fileTarget with a mistyped option",
      () => fileTarget("x", wrong({ forced: true })),
      "did you mean force?",
    ],
    ["openImage as an unknown format", () => openImage("x", { format: wrong("qcow") }), "options.format"],
    ["packers by text", () => packers(wrong({ workers: "2" })), 'options.workers is "2"'],
    ["rawFile of a number", () => rawFile(wrong(3)), "path is 3"],
    ["stage of a path", () => stage(wrong("./tree")), 'sources is "./tree": give sources'],
    ["stage of one root", () => stage(wrong({ root: "./tree" })), 'sources.root is "./tree": give an array'],
    [
      "stage with a mistyped rule",
      () => stage(wrong({ contents: [{ sorce: "a" }] })),
      "did you mean source?",
    ],
    ["runInImage of nothing", () => runInImage(wrong(undefined)), "options is missing"],
    [
      "runInImage of a number",
      () => runInImage(wrong(script)),
      "options.script is 5: give the script itself",
    ],
    ["startImage of a path", () => startImage(wrong("disk.img")), 'options is "disk.img"'],
    [
      "runInPlannedImage of an image",
      () => runInPlannedImage(wrong({}), wrong({}), async () => {}),
      "planned.",
    ],
  ])("%s is refused", async (_, call, message) => {
    const calling = async (): Promise<unknown> => call();
    await expect(calling()).rejects.toThrow(TypeError);
    await expect(calling()).rejects.toThrow(message);
  });

  it("assemble checks a spec as spec files are checked", async () => {
    await expect(assemble(wrong({ rooot: "x" }))).rejects.toThrow(
      "rooot: there is no such field: did you mean root?",
    );
    await expect(assemble(wrong({ partitions: [{ size: {} }] }))).rejects.toThrow(
      "partitions[0].size: expected",
    );
    await expect(assemble(wrong("disk.yaml"))).rejects.toThrow(
      expect.objectContaining({ code: "INVALID_SPEC" }),
    );
  });
});
