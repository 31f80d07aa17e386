import { dirname, resolve } from "node:path";
import type { StageOptions } from "../node/index.ts";
import type { Talk } from "./talk.ts";

/** How sources are read for a command: what is said meanwhile, and where what cannot be read twice is kept. */
export function stageOptions(outputs: readonly string[], talk: Talk, signal: AbortSignal): StageOptions {
  const files = outputs.filter((path) => path !== "" && path !== "-");
  return {
    outputs: files,
    ...(files.length > 0 ? { spoolDirectory: dirname(resolve(files[0]!)) } : {}),
    onLeftOut: (path) => talk.say(`left out ${path}: it is the output`),
    onWarning: (warning) => talk.warn(warning),
    onNote: (note) => talk.note(note),
    signal,
    onProgress: talk.scanning,
  };
}
