import { formatSize, printableText } from "../bytes/index.ts";
import type { Progress } from "../extents/index.ts";
import { standardError, writeText } from "./streams.ts";

/** How a command talks while it works. Everything goes to standard error: standard output is for data. */
export interface Talk {
  /** How many entries of a source are known so far. */
  scanning(source: string, entries: number): void;
  /** How far the unpacking of a compressed image is. */
  unpacking(progress: Progress): void;
  /** How far the writing is. */
  writing(progress: Progress): void;
  /** Takes the line of progress away. */
  end(): void;
  /** Something that stays to be read. */
  say(text: string): void;
  /** Something that may not be expected, and is said once. */
  note(text: string): void;
  /** Something that should not be missed, even when quiet. */
  warn(text: string): void;
}

/** How progress is shown: `auto` for `line` where somebody watches, otherwise `none`. */
export const PROGRESS_STYLES = ["auto", "plain", "none"] as const;

/** What a command shows of its progress, and whether it shows anything. */
export interface TalkOptions {
  readonly quiet?: boolean | undefined;
  readonly progress?: (typeof PROGRESS_STYLES)[number] | undefined;
}

/** Of many warnings, so many are shown in full. */
const LISTED_WARNINGS = 20;

/** Shows warnings, and of very many only the first and how many there are. */
export function warnAll(voice: Talk, warnings: readonly string[]): void {
  for (const warning of warnings.slice(0, LISTED_WARNINGS)) voice.warn(warning);
  const rest = warnings.length - LISTED_WARNINGS;
  if (rest > 0) voice.warn(`… and ${rest} more`);
}

/** Talks on standard error. */
export function talk({ quiet = false, progress = "auto" }: TalkOptions): Talk {
  const style = quiet ? "none" : progress === "auto" ? automaticStyle() : progress;
  const show = STYLES[style]();
  const noted = new Set<string>();
  const showShare = (what: string, state: Progress): void =>
    show(() => `${what} ${style === "line" ? bar(state) : ""}${amounts(state)}`, state.done === state.total);
  return {
    scanning: (source, entries) => show(() => `scanning ${source}: ${entries} entries`, false),
    unpacking: (state) => showShare("unpacking", state),
    writing: (state) => showShare("writing", state),
    end: clearLine,
    say(text): void {
      clearLine();
      if (!quiet) writeText(text);
    },
    note(text): void {
      if (quiet || noted.has(text)) return;
      noted.add(text);
      clearLine();
      writeText(text, `${paint("36", "note:")} `);
    },
    warn(text): void {
      clearLine();
      writeText(text, `${paint("33", "warning:")} `);
    },
  };
}

/** Shows a state of the work, which is made when it is shown. The last one is always shown. */
type Show = (text: () => string, isLast: boolean) => void;

/** Milliseconds between two states that are shown. */
const BETWEEN_UPDATES = 100;
const BETWEEN_LINES = 5000;

const STYLES = {
  /** One line that changes in place. */
  line: (): Show => everySoOften(BETWEEN_UPDATES, 0, drawLine),
  /** A new line now and then, as a log takes it. */
  plain: (): Show => everySoOften(BETWEEN_LINES, Date.now(), (text) => writeText(text)),
  none: (): Show => () => {},
} as const;

function everySoOften(pause: number, start: number, show: (text: string) => void): Show {
  let last = start;
  return (text, isLast) => {
    const now = Date.now();
    if (!isLast && now - last < pause) return;
    last = now;
    show(text());
  };
}

/** A line that changes needs a terminal that somebody watches: a log keeps every state of it. */
function automaticStyle(): "line" | "none" {
  return standardError().isTTY === true && process.env.TERM !== "dumb" && !isContinuousIntegration()
    ? "line"
    : "none";
}

/** All well-known services set this; "false" and nothing say that it is none. */
function isContinuousIntegration(): boolean {
  return !["", "0", "false"].includes(process.env.CI ?? "");
}

/** How many columns the line takes that is shown. Blanks take it away: that needs no control sequence. */
let columnsShown = 0;

function drawLine(text: string): void {
  const stream = standardError();
  const line = printableText(text).slice(0, (stream.columns || 80) - 1);
  stream.write(`\r${line.padEnd(columnsShown)}`);
  columnsShown = line.length;
}

/** Takes the line away that shows progress, where there is one: something else is to be written. */
export function clearLine(): void {
  if (columnsShown === 0) return;
  standardError().write(`\r${" ".repeat(columnsShown)}\r`);
  columnsShown = 0;
}

/** Colours a word for a terminal, unless NO_COLOR asks for none (no-color.org). */
export function paint(code: string, text: string): string {
  const isWanted = standardError().isTTY === true && process.env.TERM !== "dumb" && !process.env.NO_COLOR;
  return isWanted ? `\x1b[${code}m${text}\x1b[0m` : text;
}

const BAR_COLUMNS = 24;

function bar({ done, total }: Progress): string {
  const filled = Math.round((BAR_COLUMNS * done) / total);
  const [full, empty] = hasUnicode() ? ["━", "─"] : ["#", "."];
  return `${full.repeat(filled)}${empty.repeat(BAR_COLUMNS - filled)} `;
}

function amounts({ done, total }: Progress): string {
  const percent = String(Math.floor((100 * done) / total)).padStart(3);
  return `${percent} %  ${formatSize(done)} of ${formatSize(total)}`;
}

/** Whether the terminal shows more than ASCII, as the locale says (POSIX, Base Definitions §8.2). */
function hasUnicode(): boolean {
  if (process.platform === "win32") return true;
  const { LC_ALL, LC_CTYPE, LANG } = process.env;
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || "");
}
