import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CORE_FILES, coreImage } from "../../src/boot/grub/core-image.ts";
import { platformFiles } from "../../src/boot/grub/platform-files.ts";
import { decompressorHeader } from "../../src/boot/grub/structures.ts";
import { FileReader } from "../../src/node/file-reader.ts";
import { directory } from "../../src/node/index.ts";
import { rawLzma } from "../support/lzma.ts";
import { describeWith, run, saveImage, scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();
const GRUB = "/usr/lib/grub";

const CASES = [
  { modules: ["biosdisk", "part_gpt", "ext2", "search_fs_uuid"], prefix: "/boot/grub" },
  { modules: ["biosdisk", "part_msdos", "fat", "search_fs_uuid", "serial", "terminal"], prefix: "/grub" },
  // Long chains of what modules need.
  { modules: ["normal", "linux", "zfs", "lvm", "luks2", "gfxterm", "test"], prefix: "/x" },
];

describeWith(["grub-mkimage", "xz"], "a core image beside that of grub-mkimage", () => {
  it.each(CASES)("packs the same for $modules", async ({ modules, prefix }) => {
    const configuration =
      "search.fs_uuid 01234567-89ab-cdef-0123-456789abcdef root\nset prefix=($root)/boot/grub\n";
    const files = platformFiles(await directory(GRUB), "/i386-pc", new FileReader())!;
    const core = await coreImage(files, await files.read(CORE_FILES), { modules, prefix, configuration });
    const embedded = saveImage(scratch, "embedded.cfg", Buffer.from(configuration));
    const theirs = join(scratch, "core.img");
    const { status, output } = run("grub-mkimage", [
      ...["-O", "i386-pc", "-d", join(GRUB, "i386-pc"), "-p", prefix, "-c", embedded, "-o", theirs],
      ...modules,
    ]);
    expect({ status, output }).toEqual({ status: 0, output: "" });
    const reference = readFileSync(theirs);
    const decompressor = readFileSync(join(GRUB, "i386-pc/lzma_decompress.img")).length;
    expect(unpacked(core, decompressor)).toEqual(unpacked(reference, decompressor));
    // As well packed, to a hundredth.
    expect(core.length).toBeLessThan(1.01 * reference.length + 512);
  });
});

function unpacked(core: Uint8Array, decompressorSize: number): Buffer {
  const { packedSize, unpackedSize } = decompressorHeader.fromBytes(core, 512);
  const start = 512 + decompressorSize;
  return rawLzma(core.subarray(start, start + packedSize), unpackedSize);
}
