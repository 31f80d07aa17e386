import { byteKey, u16 } from "../../bytes/index.ts";
import { type EfiArchitecture, efiArchitecture } from "./architecture.ts";

/** What the start of a kernel says about it. */
export interface KernelFacts {
  /** Of which it is a UEFI program; `undefined` when firmware cannot start it. */
  readonly architecture: EfiArchitecture | undefined;
  /** What `uname -r` says when it runs; `undefined` where the format does not tell. */
  readonly release: string | undefined;
}

// The setup header of x86 (Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").
const MAGIC_AT = 0x202;
const MAGIC = "HdrS";
/** Where the text of the version starts, less 0x200; 0 without one. */
const VERSION_AT = 0x20e;
const LONGEST_RELEASE = 64;

/** Reads the start of a kernel, `HEADER_LENGTH` bytes of it where it has them. */
export function kernelFacts(start: Uint8Array): KernelFacts {
  return { architecture: efiArchitecture(start), release: setupRelease(start) };
}

/** The release is the first word: `6.1.0-56-cloud-amd64 (debian-kernel@…) #1 SMP …`. */
function setupRelease(start: Uint8Array): string | undefined {
  if (start.length < VERSION_AT + 2) return undefined;
  if (byteKey(start.subarray(MAGIC_AT, MAGIC_AT + MAGIC.length)) !== MAGIC) return undefined;
  const offset = u16.decode(start, VERSION_AT);
  if (offset === 0) return undefined;
  // The kernel's own limit for a release, __NEW_UTS_LEN, is 64 characters.
  const text = byteKey(start.subarray(offset + 0x200, offset + 0x200 + LONGEST_RELEASE + 1));
  return /^[!-~]{1,64}(?=[ \0])/.exec(text)?.[0];
}
