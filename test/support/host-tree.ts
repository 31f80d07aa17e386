import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** Whether the tests may make device nodes and mount images. */
export const IS_ROOT: boolean = process.getuid?.() === 0;

/**
 * Makes a directory that has some of everything that a filesystem can hold. `order` permutes in which order
 * entries are made, which decides in which order the host lists them.
 */
export async function makeHostTree(
  root: string,
  order: <T>(items: T[]) => T[] = (items) => items,
): Promise<void> {
  mkdirSync(root, { recursive: true });
  const at = (path: string): string => join(root, path);
  const steps: (() => void | Promise<void>)[] = [
    () => writeFileSync(at("empty"), ""),
    () => writeFileSync(at("one"), "1"),
    () => writeFileSync(at("block"), Buffer.alloc(4096, 7)),
    () => writeFileSync(at("block and one"), Buffer.alloc(4097, 8)),
    () => writeFileSync(at("three mebibytes"), Buffer.alloc(3 << 20, "diskwright ")),
    () =>
      writeFileSync(Buffer.concat([Buffer.from(`${root}/not utf-8 `), Buffer.of(0xff, 0xfe, 0x0a)]), "bytes"),
    () => writeFileSync(at(`${"n".repeat(255)}`), "long name"),
    () => symlinkSync("t".repeat(59), at("fast symlink")),
    () => symlinkSync("t".repeat(60), at("slow symlink")),
    () => symlinkSync("/does/not/exist", at("dangling")),
    () => {
      mkdirSync(at("a/deep/er/directory"), { recursive: true });
      writeFileSync(at("a/deep/er/directory/file"), "deep");
    },
    () => {
      mkdirSync(at("many"));
      for (const index of order(Array.from({ length: 300 }, (_, number) => number))) {
        writeFileSync(at(`many/entry number ${index}`), String(index));
      }
    },
    () => {
      writeFileSync(at("linked"), "shared");
      mkdirSync(at("links"));
      linkSync(at("linked"), at("links/again"));
      linkSync(at("linked"), at("links/and again"));
    },
    () => {
      writeFileSync(at("setuid"), "#!/bin/sh\n");
      chmodSync(at("setuid"), 0o4755);
    },
    () => {
      const descriptor = openSync(at("sparse"), "w");
      ftruncateSync(descriptor, 40 << 20);
      writeSync(descriptor, "start", 0);
      writeSync(descriptor, "middle", (20 << 20) + 100);
      closeSync(descriptor);
    },
    () => {
      mkdirSync(at("boot/EFI/BOOT"), { recursive: true });
      writeFileSync(at("boot/EFI/BOOT/BOOTX64.EFI"), Buffer.alloc(70_000, "efi"));
      writeFileSync(at("boot/loader.conf"), "timeout 3\n");
      writeFileSync(at("boot/A name that is long.txt"), "long");
    },
    () => {
      mkdirSync(at("private"));
      chmodSync(at("private"), 0o1730);
    },
    () => void spawnSync("mkfifo", [at("fifo")]),
    () =>
      new Promise<void>((resolve) => {
        // A socket stays behind when its server is not closed in order.
        const server = createServer().listen(at("socket"), () => {
          server.unref();
          resolve();
        });
      }),
  ];
  if (IS_ROOT) {
    steps.push(
      () => void spawnSync("mknod", [at("null"), "c", "1", "3"]),
      () => void spawnSync("mknod", [at("large"), "b", "259", "65537"]),
      () => {
        writeFileSync(at("owned"), "by others");
        lchownSync(at("owned"), 4294967294, 65536);
        symlinkSync("one", at("owned symlink"));
        lchownSync(at("owned symlink"), 1000, 100);
      },
    );
  }
  for (const step of order(steps)) await step();
  setTimes(root);
}

/** Times that do not depend on when the tree was made: among them some before 1970 and after 2038. */
function setTimes(root: string): void {
  const seconds = [0.25, 1_700_000_000.125, -86_400, 4_000_000_000.5, 1];
  let next = 0;
  for (const path of walk(Buffer.from(root))) {
    // As a number, Node takes a time before 1970 for the present.
    const time = new Date(seconds[next++ % seconds.length]! * 1000);
    lutimesSync(path, time, time);
  }
}

/** Every path below a directory, children before parents, in the order of their bytes. */
function walk(directory: Buffer): Buffer[] {
  const names = readdirSync(directory, { encoding: "buffer" }).sort(Buffer.compare);
  const below = names.flatMap((name) => {
    const path = Buffer.concat([directory, Buffer.from("/"), name]);
    return lstatSync(path).isDirectory() ? walk(path) : [path];
  });
  return [...below, directory];
}

/** Everything that can be told of the entries below a directory, by their path. */
export function snapshot(
  root: string,
  leaveOut: (path: string) => boolean = () => false,
): Map<string, unknown> {
  const entries = new Map<string, unknown>();
  for (const path of walk(Buffer.from(root))) {
    const name = path.subarray(Buffer.from(root).length).toString("latin1");
    if (leaveOut(name)) continue;
    const status = lstatSync(path, { bigint: true });
    const isDirectory = status.isDirectory();
    entries.set(name, {
      mode: status.mode.toString(8),
      owner: `${status.uid}:${status.gid}`,
      mtime: status.mtimeNs,
      links: isDirectory ? undefined : status.nlink,
      size: isDirectory ? undefined : status.size,
      device: status.isCharacterDevice() || status.isBlockDevice() ? status.rdev : undefined,
      target: status.isSymbolicLink()
        ? readlinkSync(path, { encoding: "buffer" }).toString("latin1")
        : undefined,
      content: status.isFile() ? readFileSync(path).toString("base64") : undefined,
      holes: status.isFile() ? status.blocks * 512n < status.size : undefined,
    });
  }
  return entries;
}
