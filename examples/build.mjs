// Builds example.img from the tree beside this file, and shows what it holds.
//
// Git stores no hard links, no empty directories and no owners, and a file of some mebibytes would be a waste
// of everybody's clone. So the tree is copied to a staging directory and completed there.

import { execFileSync } from "node:child_process";
import { cpSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const main = join(here, "../dist/bin/diskwright.js");
const staging = mkdtempSync(join(tmpdir(), "diskwright-example-"));
const at = (path) => join(staging, path);

/** The prime numbers below `limit`, a line each: some mebibytes that everybody can make again. */
function primes(limit) {
  const isComposite = new Uint8Array(limit);
  const lines = [];
  for (let number = 2; number < limit; number++) {
    if (isComposite[number]) continue;
    lines.push(number);
    for (let multiple = number * number; multiple < limit; multiple += number) isComposite[multiple] = 1;
  }
  return `${lines.join("\n")}\n`;
}

function diskwright(...args) {
  console.log(`\n$ diskwright ${args.join(" ")}`);
  execFileSync(process.execPath, [main, ...args], { stdio: "inherit", cwd: join(here, "..") });
}

try {
  cpSync(join(here, "tree"), staging, { recursive: true, verbatimSymlinks: true });
  for (const empty of ["dev", "proc", "sys", "tmp", "var/log"]) mkdirSync(at(empty), { recursive: true });
  linkSync(at("usr/bin/hello"), at("usr/bin/hello-again"));
  mkdirSync(at("boot/EFI/BOOT"), { recursive: true });
  writeFileSync(at("usr/share/primes.txt"), primes(6_000_000));

  const options = ["--owner", "0:0", "--time", "2026-01-01", "--seed", "example"];
  const image = [
    "--root",
    staging,
    "--layout",
    "efi",
    "--boot-size",
    "64M",
    "--additional-space",
    "32M",
    ...options,
  ];
  diskwright("plan", ...image);
  diskwright("build", ...image, "-o", "example.img");
  diskwright("inspect", "example.img");
  console.log(`
Look further with the tools you know, none of which needs root:
  sfdisk --list example.img                         the table
  mdir -i example.img@@8M ::                        the EFI system partition
  debugfs -R 'ls -l /usr/bin' example.img?offset=${72 * 2 ** 20}   the root filesystem`);
} finally {
  rmSync(staging, { recursive: true });
}
