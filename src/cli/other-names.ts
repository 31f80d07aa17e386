// What people call commands of other programs, and what does the same here.

const OTHER_NAMES: Readonly<Record<string, string>> = {
  version: "diskwright --version",
  info: "diskwright inspect IMAGE",
  show: "diskwright inspect IMAGE",
  list: "diskwright inspect IMAGE",
  ls: "diskwright inspect IMAGE",
  check: "diskwright inspect IMAGE",
  fsck: "diskwright inspect IMAGE",
  create: "diskwright build SOURCE -o IMAGE",
  make: "diskwright build SOURCE -o IMAGE",
  image: "diskwright build SOURCE -o IMAGE",
  pack: "diskwright build SOURCE -o IMAGE",
  copy: "diskwright convert IMAGE OUT",
  compress: "diskwright convert IMAGE OUT",
  flash: "diskwright convert IMAGE /dev/… --force",
  write: "diskwright convert IMAGE /dev/… --force",
  boot: "diskwright run IMAGE",
  start: "diskwright run IMAGE",
  exec: "diskwright vm IMAGE --script FILE",
  customize: "diskwright vm IMAGE --script FILE",
  ext2: "diskwright mkfs ext4 --type ext2",
  ext3: "diskwright mkfs ext4 --type ext3",
  "mkfs.ext4": "diskwright mkfs ext4",
  "mkfs.vfat": "diskwright mkfs fat",
  "mkfs.fat": "diskwright mkfs fat",
};

/** A line behind an error that names a command that there is not; empty where nothing here does the same. */
export function otherNameHint(message: string): string {
  const name = /unknown command '([^']+)'/.exec(message)?.[1];
  const command = name === undefined || !Object.hasOwn(OTHER_NAMES, name) ? undefined : OTHER_NAMES[name];
  return command === undefined ? "" : `(that is: ${command})\n`;
}
