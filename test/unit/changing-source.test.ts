import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { fileSource } from "../../src/node/file-source.ts";
import { directory, FileReader, rawFile, type XattrReader } from "../../src/node/index.ts";

const scratch = mkdtempSync(join(tmpdir(), "diskwright-changing-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Acts once, when the attributes of the entry are asked for whose path ends so: a place that the scan surely passes. */
function actingAt(actions: Readonly<Record<string, () => void>>): XattrReader {
  const left = new Map(Object.entries(actions));
  return {
    listAttributesSync(path): string[] {
      for (const [end, act] of left) {
        if (!path.endsWith(end)) continue;
        left.delete(end);
        act();
      }
      return [];
    },
    getAttributeSync: () => null,
  };
}

// What was changed just before the scan is reached over open directories, what is older by its path.
describe.each([
  ["just made", 0],
  ["that is older", 300],
])("a directory %s that changes while it is scanned", (age, milliseconds) => {
  async function made(name: string): Promise<{ top: string; outside: string }> {
    const top = join(scratch, `${name} ${age}`);
    const outside = `${top} outside`;
    for (const path of [join(top, "z"), outside]) mkdirSync(path, { recursive: true });
    for (const file of ["a", "b"]) writeFileSync(join(top, "z", file), "inside");
    writeFileSync(join(outside, "b"), "a secret from outside");
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    return { top, outside };
  }

  it("is not followed when it has become a symlink", async () => {
    const { top, outside } = await made("linked");
    const z = join(top, "z");
    const swap = (): void => {
      renameSync(z, `${top} real`);
      symlinkSync(outside, z);
    };
    const scan = directory(top, {
      xattrReader: actingAt({ "linked just made/z": swap, "linked that is older/z": swap }),
    });
    await expect(scan).rejects.toMatchObject({
      code: "SOURCE_CHANGED",
      message: expect.stringMatching(/\/z.*it was replaced/),
    });
  });

  it("is missed when it was removed", async () => {
    const { top } = await made("removed");
    const remove = (): void => {
      for (const file of ["a", "b"]) rmSync(join(top, "z", file));
      rmdirSync(join(top, "z"));
    };
    const scan = directory(top, { xattrReader: actingAt({ "just made/z": remove, "older/z": remove }) });
    await expect(scan).rejects.toMatchObject({
      code: "SOURCE_CHANGED",
      message: expect.stringMatching(/\/z: it was removed/),
    });
  });

  it.runIf(process.platform === "linux")(
    "gives its own entries when a symlink stands for it for a while",
    async () => {
      const { top, outside } = await made("twice");
      const z = join(top, "z");
      const reader = actingAt({
        "/z/a": () => {
          renameSync(z, `${top} real`);
          symlinkSync(outside, z);
        },
        "/z/b": () => {
          rmSync(z);
          renameSync(`${top} real`, z);
        },
      });
      const tree = await directory(top, { xattrReader: reader });
      expect([...tree.entries()].map(({ path }) => Buffer.from(path as Uint8Array).toString())).toContain(
        "/z/b",
      );
      expect(tree.columns.size[tree.find("/z/b")!]).toBe("inside".length);
    },
  );
});

describe("a file in a directory that has become a symlink after the scan", () => {
  it("is not read from outside, not even at first", async () => {
    const top = join(scratch, "swapped later");
    mkdirSync(join(top, "z"), { recursive: true });
    mkdirSync(join(scratch, "elsewhere"));
    writeFileSync(join(top, "z/file"), "inside");
    writeFileSync(join(scratch, "elsewhere/file"), "secret");
    const tree = await directory(top);
    renameSync(join(top, "z"), join(top, "moved"));
    symlinkSync(join(scratch, "elsewhere"), join(top, "z"));
    const content = tree.content(tree.find("/z/file")!);
    expect(() => new FileReader().read(content as never, 0, new Uint8Array(3))).toThrow(
      /changed after it was scanned/,
    );
  });
});

describe("an image that is a source", () => {
  it("must stay what it is", () => {
    const path = join(scratch, "truncated.img");
    writeFileSync(path, new Uint8Array(100_000));
    const file = fileSource(path);
    file.verify();
    truncateSync(path, 50_000);
    const changed = { code: "SOURCE_CHANGED" };
    expect(() => file.read(0, 100_000)).toThrow(expect.objectContaining(changed));
    expect(() => file.verify()).toThrow(/it had 100,000 bytes and has 50,000 bytes/);
    file.close();
  });

  it("must stay where it is", () => {
    const path = join(scratch, "removed.img");
    writeFileSync(path, "x");
    const file = fileSource(path);
    rmSync(path);
    expect(() => file.verify()).toThrow(/it was removed or replaced/);
    file.close();
  });

  it("may be reached over a symlink", async () => {
    const path = join(scratch, "real.img");
    writeFileSync(path, "content");
    symlinkSync("real.img", join(scratch, "link.img"));
    const { content } = await rawFile(join(scratch, "link.img"));
    const into = new Uint8Array(7);
    expect(new FileReader().read(content as never, 0, into)).toBe(7);
  });
});
