import { formatSize } from "../bytes/index.ts";
import { standardError } from "./streams.ts";

/** How a command talks while it works. Everything goes to standard error: standard output is for data. */
export interface Talk {
  /** A step that is under way, of which only the newest matters. */
  progress(text: () => string): void;
  /** Takes the line of progress away. */
  end(): void;
  /** Something that stays to be read. */
  say(text: string): void;
  /** Something that should not be missed, even when quiet. */
  warn(text: string): void;
}

const BETWEEN_UPDATES = 100;

/** Of many warnings, so many are told in full. */
const LISTED_WARNINGS = 20;

/** Tells warnings, and of very many only the first and how many there are. */
export function warnAll(voice: Talk, warnings: readonly string[]): void {
  for (const warning of warnings.slice(0, LISTED_WARNINGS)) voice.warn(warning);
  const rest = warnings.length - LISTED_WARNINGS;
  if (rest > 0) voice.warn(`… and ${rest} more`);
}

/** One line that changes in place on a terminal, none of it elsewhere. */
export function talk(isQuiet: boolean): Talk {
  const isTerminal = !isQuiet && standardError().isTTY === true;
  let shown = false;
  let last = 0;
  const clear = (): void => {
    if (shown) standardError().write("\r\x1b[K");
    shown = false;
  };
  return {
    progress(text): void {
      if (!isTerminal) return;
      const now = Date.now();
      if (now - last < BETWEEN_UPDATES) return;
      last = now;
      const stream = standardError();
      stream.write(`\r\x1b[K${text().slice(0, (stream.columns ?? 80) - 1)}`);
      shown = true;
    },
    end: clear,
    say(text): void {
      clear();
      if (!isQuiet) standardError().write(`${text}\n`);
    },
    warn(text): void {
      clear();
      standardError().write(`${paint("33", "warning:")} ${text}\n`);
    },
  };
}

/** Colours a word for a terminal, unless NO_COLOR asks for none (no-color.org). */
export function paint(code: string, text: string): string {
  const isWanted = standardError().isTTY === true && !process.env.NO_COLOR;
  return isWanted ? `\x1b[${code}m${text}\x1b[0m` : text;
}

/** How far a write is, as one line. */
export function progressLine(done: number, total: number): string {
  const share = Math.floor((100 * done) / total);
  const width = 24;
  const filled = Math.round((width * done) / total);
  return `writing ${"━".repeat(filled)}${"─".repeat(width - filled)} ${String(share).padStart(3)} %  ${formatSize(done)} of ${formatSize(total)}`;
}
