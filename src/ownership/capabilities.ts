import { DiskwrightError } from "../errors.ts";

/** Capabilities in the order of their numbers (<linux/capability.h>), without `cap_`. */
const NAMES: readonly string[] = [
  "chown",
  "dac_override",
  "dac_read_search",
  "fowner",
  "fsetid",
  "kill",
  "setgid",
  "setuid",
  "setpcap",
  "linux_immutable",
  "net_bind_service",
  "net_broadcast",
  "net_admin",
  "net_raw",
  "ipc_lock",
  "ipc_owner",
  "sys_module",
  "sys_rawio",
  "sys_chroot",
  "sys_ptrace",
  "sys_pacct",
  "sys_admin",
  "sys_boot",
  "sys_nice",
  "sys_resource",
  "sys_time",
  "sys_tty_config",
  "mknod",
  "lease",
  "audit_write",
  "audit_control",
  "setfcap",
  "mac_override",
  "mac_admin",
  "syslog",
  "wake_alarm",
  "block_suspend",
  "audit_read",
  "perfmon",
  "bpf",
  "checkpoint_restore",
];

const ALL: bigint = (1n << BigInt(NAMES.length)) - 1n;

/** The revision with 64 bits, and no namespace of users. */
const REVISION_2 = 0x02000000;
const EFFECTIVE = 0x000001;

interface Sets {
  effective: bigint;
  inheritable: bigint;
  permitted: bigint;
}

const SET_OF: Readonly<Record<string, keyof Sets>> = { e: "effective", i: "inheritable", p: "permitted" };

/**
 * The value of the attribute `security.capability` for capabilities as setcap(8) takes them: `cap_net_raw+ep`,
 * `cap_net_admin,cap_net_raw=ep`, `all=p`.
 *
 * @throws DiskwrightError `INVALID_SPEC`.
 */
export function capabilityValue(text: string): Uint8Array {
  const sets: Sets = { effective: 0n, inheritable: 0n, permitted: 0n };
  for (const clause of text.trim().split(/[\s;]+/)) takeClause(sets, clause, text);
  // A file has one bit for all: its permitted and inheritable capabilities are effective, or none is.
  if (sets.effective !== 0n && sets.effective !== (sets.permitted | sets.inheritable)) {
    throw invalid(text, "a file's effective capabilities are all of its others, or none");
  }
  const value = new Uint8Array(20);
  const view = new DataView(value.buffer);
  view.setUint32(0, REVISION_2 | (sets.effective === 0n ? 0 : EFFECTIVE), true);
  for (const [half, at] of [
    [0n, 4],
    [32n, 12],
  ] as const) {
    view.setUint32(at, Number((sets.permitted >> half) & 0xffffffffn), true);
    view.setUint32(at + 4, Number((sets.inheritable >> half) & 0xffffffffn), true);
  }
  return value;
}

function takeClause(sets: Sets, clause: string, text: string): void {
  const match = /^([a-z0-9_,]*)((?:[-+=][eip]*)+)$/i.exec(clause);
  if (match === null) throw invalid(text, "use names with commas between, and =, + or - with e, i, p");
  const capabilities = capabilitiesOf(match[1]!.toLowerCase(), text);
  for (const [, operator, flags] of match[2]!.matchAll(/([-+=])([eip]*)/gi)) {
    if (operator === "=") for (const set of Object.values(SET_OF)) sets[set] &= ~capabilities;
    for (const flag of flags!.toLowerCase()) {
      const set = SET_OF[flag]!;
      if (operator === "-") sets[set] &= ~capabilities;
      else sets[set] |= capabilities;
    }
  }
}

function capabilitiesOf(list: string, text: string): bigint {
  if (list === "" || list === "all") return ALL;
  let capabilities = 0n;
  for (const name of list.split(",")) {
    const number = NAMES.indexOf(name.replace(/^cap_/, ""));
    if (number < 0) throw invalid(text, `"${name}" is no capability`);
    capabilities |= 1n << BigInt(number);
  }
  return capabilities;
}

function invalid(text: string, reason: string): DiskwrightError {
  return new DiskwrightError("INVALID_SPEC", `capabilities "${text}": ${reason}`);
}
