import { constants } from "node:os";

/** Whether a value is an error of the system, with a code such as ENOENT. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && "syscall" in error;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "not permitted",
  ENOENT: "no such file or directory",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  ELOOP: "is a symbolic link",
  ENAMETOOLONG: "the path is too long for this system",
  ENOSPC: "no space left on the disk that holds it",
  EDQUOT: "the disk quota is used up",
  EROFS: "the filesystem is read-only",
  EIO: "input/output error",
  EFBIG: "the filesystem cannot hold a file that large",
  EPIPE: "the program that reads it has ended",
  EMFILE: "too many open files",
};

/** Why the system refused, in words. */
export function reasonOf(error: unknown): string {
  if (!isSystemError(error)) return error instanceof Error ? error.message : String(error);
  return REASONS[error.code ?? ""] ?? error.message;
}

/** Why the system refused, in words, by the number that it gives (errno). */
export function reasonOfNumber(number: number): string | undefined {
  const named = Object.entries(constants.errno).find(([, value]) => value === number);
  return named === undefined ? undefined : (REASONS[named[0]] ?? named[0]);
}
