/** A filesystem of the image that is mounted beside its root. */
export interface VmMount {
  /** The partition, from 1; 0 for the whole disk. */
  readonly partition: number;
  /** Where: `/boot`. */
  readonly path: string;
  /** As mount(8) calls it: `vfat`. */
  readonly type: string;
}

/** A name for the disk or a partition below `/dev`, as udev(7) would make it. */
export interface VmLink {
  /** `/dev/disk/by-uuid/1234-ABCD`, or another name of the disk: `/dev/sda`. */
  readonly path: string;
  /** The partition, from 1; 0 for the disk. */
  readonly partition: number;
}

/** What the first program of a virtual machine is to do. */
export interface InitPlan {
  /** Starts every record, so that nothing else on the line can be taken for one. */
  readonly nonce: string;
  /** Names of modules, in the order in which they are loaded. */
  readonly modules: readonly { readonly name: string; readonly isRequired: boolean }[];
  readonly root: { readonly partition: number; readonly type: string };
  /** Parents come before what lies below them. */
  readonly mounts: readonly VmMount[];
  readonly links: readonly VmLink[];
  /** What is run in the image, with its arguments. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** How the script's output leaves the machine. */
  readonly output: OutputLine;
}

/** A port of virtio-serial, which is fast, or the second serial line, for which every kernel has the driver. */
export type OutputLine = "virtio" | "serial";

/** By which the machine knows the disk with the image. */
export const DISK_SERIAL = "diskwright";
/** By which the machine knows the port for the output. */
export const OUTPUT_PORT = "diskwright.output";
/** Where the image's script lies in the machine, as the image sees it. */
export const SCRIPT_PATH = "/run/diskwright/script";

/** Before and behind what the script prints. */
export function outputMarks(nonce: string): { readonly start: string; readonly end: string } {
  return { start: `${nonce} output\n`, end: `${nonce} end\n` };
}

/**
 * The text of `/init`, for the shell of busybox: it mounts the image, runs the script as root in it, ends all that the
 * script left running, unmounts everything, and tells each step on the third serial line.
 */
export function initScript(plan: InitPlan): string {
  const { start, end } = outputMarks(plan.nonce);
  return [
    START,
    `nonce=${quoted(plan.nonce)}`,
    RECORDS,
    ...plan.modules.map(({ name, isRequired }) =>
      isRequired
        ? `insmod /mod/${name}.ko || fail "the module ${name} cannot be loaded"`
        : `insmod /mod/${name}.ko`,
    ),
    `serial=${quoted(DISK_SERIAL)}`,
    DISK,
    plan.output === "virtio" ? `port=${quoted(OUTPUT_PORT)}\n${VIRTIO_OUTPUT}` : SERIAL_OUTPUT,
    `mount_part ${plan.root.partition} ${quoted(plan.root.type)} ""`,
    SYSTEM,
    ...plan.mounts.map(
      ({ partition, path, type }) => `mount_part ${partition} ${quoted(type)} ${quoted(path)}`,
    ),
    ...plan.links.map(({ partition, path }) => `link_part ${partition} ${quoted(path)}`),
    `mkdir -p "/mnt${parentOf(SCRIPT_PATH)}"`,
    `cp /script "/mnt${SCRIPT_PATH}"`,
    `chmod 0755 "/mnt${SCRIPT_PATH}"`,
    "say start",
    `printf %s ${quoted(start)} >"$output"`,
    `env -i ${assignments(plan.environment)} /bin/busybox chroot /mnt ${plan.command.map(quoted).join(" ")} \\`,
    '  </dev/null >"$output" 2>&1 3>&-',
    'say "exit $?"',
    ENDING,
    // What was left running could have printed until now.
    `printf %s ${quoted(end)} >"$output"`,
    "stop",
    "",
  ].join("\n");
}

function assignments(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .map(([name, value]) => quoted(`${name}=${value}`))
    .join(" ");
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/** A word for the shell that means itself, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const START = `#!/bin/sh
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys`;

/** Without the line for records, a record would go into a new file: nobody would ever hear of it. */
const RECORDS = `if ! [ -c /dev/ttyS2 ]; then
  echo "diskwright: the kernel has no third serial line"
  poweroff -f
fi
stty -F /dev/ttyS2 raw -echo
exec 3>/dev/ttyS2
say() { echo "$nonce $*" >&3; }
stop() {
  sync
  say bye
  exec 3>&-
  poweroff -f
  sleep 1000
}
fail() {
  cat /proc/partitions
  dmesg | tail -n 20
  say "stage-failed $*"
  stop
}
# Tries a command for ten seconds.
wait_for() {
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || return 1
    sleep 0.1
  done
}
say "init $(uname -r)"`;

const DISK = `find_disk() {
  for entry in /sys/block/*; do
    [ "$(cat "$entry/serial" 2>/dev/null)" = "$serial" ] && disk=/dev/\${entry##*/} && return
  done
  return 1
}
wait_for find_disk || fail "the disk with the image did not appear"
part() { if [ "$1" = 0 ]; then echo "$disk"; else echo "$disk$1"; fi; }
# Makes a directory that the image lacks; it is removed at the end.
made=
place() {
  [ -d "$1" ] && return
  place "\${1%/*}"
  mkdir "$1" || fail "the directory \${1#/mnt} cannot be made in the image"
  made="$1
$made"
}
mount_part() {
  device=$(part "$1")
  wait_for [ -b "$device" ] || fail "the image has no partition $1"
  place "/mnt$3"
  [ "$(readlink -f "/mnt$3")" = "/mnt$3" ] || fail "$3 cannot be mounted: its path leads over a symlink"
  reason=$(mount -t "$2" -o noatime "$device" "/mnt$3" 2>&1) ||
    fail "partition $1 cannot be mounted at \${3:-/} as $2: $reason"
}
link_part() {
  mkdir -p "/mnt\${2%/*}"
  ln -s -f -n "$(part "$1")" "/mnt$2" || fail "the link $2 cannot be made"
}`;

const VIRTIO_OUTPUT = `find_output() {
  for entry in /sys/class/virtio-ports/*; do
    [ "$(cat "$entry/name" 2>/dev/null)" = "$port" ] && output=/dev/\${entry##*/} && [ -c "$output" ] && return
  done
  return 1
}
wait_for find_output || fail "the port for the output did not appear"`;

const SERIAL_OUTPUT = `output=/dev/ttyS1
[ -c "$output" ] || fail "the kernel has no second serial line"
stty -F "$output" raw -echo`;

/** What a system expects of whoever started it. All of it lies in memory: nothing of it reaches the image. */
const SYSTEM = `mount_system() {
  # A symlink would lead out of the image.
  [ -L "/mnt$2" ] && return
  place "/mnt$2"
  mount -t "$1" -o "$3" "$1" "/mnt$2" || fail "$1 cannot be mounted at $2"
}
mount_system devtmpfs /dev rw
mount_system proc /proc rw
mount_system sysfs /sys rw
mkdir -p /mnt/dev/pts /mnt/dev/shm
mount_system devpts /dev/pts gid=5,mode=620,ptmxmode=666
mount_system tmpfs /dev/shm mode=1777
mount_system tmpfs /run mode=755
mount_system tmpfs /tmp mode=1777
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
mkdir -p /run
if [ -d /sys/firmware/efi/efivars ]; then
  mount -t efivarfs efivarfs /mnt/sys/firmware/efi/efivars || fail "the variables of the firmware cannot be mounted"
fi`;

/** A filesystem that is still in use is at least made read-only: what is in it is then complete. */
const ENDING = `# Whether anything but this program runs; threads of the kernel have no program.
others() {
  for process in /proc/[0-9]*; do
    [ "$process" != /proc/1 ] && [ -e "$process/exe" ] && return
  done
  return 1
}
ended() { ! others; }
if others; then
  kill -TERM -1
  tries=0
  while others && [ "$tries" -lt 20 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
  if others; then
    kill -KILL -1
    wait_for ended
  fi
fi
while read -r file rest; do
  case $file in /*) swapoff "$file" ;; esac
done </proc/swaps
losetup -a | while IFS=: read -r device rest; do losetup -d "$device"; done
points() { while read -r device point rest; do printf '%b\\n' "$point"; done </proc/mounts | grep -E "^/mnt$1"; }
unmount_below() {
  points / | tac | while read -r point; do umount "$point"; done
  [ -z "$(points /)" ]
}
unmount_root() { umount /mnt; [ -z "$(points '$')" ]; }
if wait_for unmount_below; then
  echo "$made" | while read -r directory; do [ -z "$directory" ] || rmdir "$directory"; done
fi
if wait_for unmount_root; then
  say unmounted
else
  in_use=$(points '(/|$)' | tr '\\n' ' ')
  mount -o remount,ro /mnt
  say "unmount-failed $in_use"
fi`;
