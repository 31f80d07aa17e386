import { printable, utf8 } from "../../bytes/index.ts";

/** How systemd-boot behaves: the keys of loader.conf(5). What is not given is left to the loader. */
export interface LoaderConfiguration {
  /** Seconds for which the menu is shown. The loader's default is 0: it boots at once, unless a key is held. */
  readonly timeout?: number | "menu-force" | "menu-hidden" | "menu-disabled" | undefined;
  /** What is started when nobody chooses: the id of an entry, a pattern of file names, or `@saved`. */
  readonly default?: string | undefined;
  /** Whether the kernel command line can be edited in the menu. The loader's default is yes. */
  readonly editor?: boolean | undefined;
  /** The resolution of the menu. The loader's default is `keep`. */
  readonly consoleMode?: number | "auto" | "max" | "keep" | undefined;
  /** Whether it beeps for each entry when the menu is shown. The loader's default is no. */
  readonly beep?: boolean | undefined;
  /** Whether it shows other systems and shells that it finds. The loader's default is yes. */
  readonly autoEntries?: boolean | undefined;
  /** Whether it offers the setup of the firmware. The loader's default is yes. */
  readonly autoFirmware?: boolean | undefined;
}

const TIMEOUTS = ["menu-force", "menu-hidden", "menu-disabled"];
const CONSOLE_MODES = ["auto", "max", "keep"];

/** What is wrong with a configuration, one line for each. `ids` are those of the entries that there are. */
export function* loaderProblems(
  configuration: LoaderConfiguration,
  ids: readonly string[],
): Generator<string> {
  const { timeout, consoleMode, default: pattern } = configuration;
  if (timeout !== undefined && !isNumberOr(timeout, TIMEOUTS)) {
    yield `timeout ${timeout} is neither a number of seconds nor one of ${TIMEOUTS.join(", ")}`;
  }
  if (consoleMode !== undefined && !isNumberOr(consoleMode, CONSOLE_MODES)) {
    yield `consoleMode ${consoleMode} is neither the number of a mode nor one of ${CONSOLE_MODES.join(", ")}`;
  }
  if (pattern === undefined || ids.includes(pattern)) return;
  const shown = printable(utf8(pattern));
  if (!/^[!-~]+$/.test(pattern)) {
    yield `default "${shown}" is neither the id of an entry nor a pattern of file names`;
  } else if (!/[*?[]|^@|^auto-|\.conf$|\.efi$/i.test(pattern)) {
    yield `default ${shown} is the id of no entry: there ${ids.length === 1 ? "is" : "are"} ${ids.join(", ") || "none"}`;
  }
}

function isNumberOr(value: number | string, words: readonly string[]): boolean {
  if (typeof value === "string") return words.includes(value);
  return Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
}

/** The text of loader.conf. Ids of entries stand for their files: the loader's names for them end in `.conf`. */
export function loaderConf(configuration: LoaderConfiguration, ids: readonly string[]): string {
  const { timeout, editor, consoleMode, beep, autoEntries, autoFirmware } = configuration;
  const pattern = configuration.default;
  const isId = pattern !== undefined && ids.includes(pattern);
  const lines: readonly (readonly [string, string | number | boolean | undefined])[] = [
    ["timeout", timeout],
    ["default", isId ? `${pattern}.conf` : pattern],
    ["editor", editor],
    ["console-mode", consoleMode],
    ["beep", beep],
    ["auto-entries", autoEntries],
    ["auto-firmware", autoFirmware],
  ];
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${typeof value === "boolean" ? (value ? "yes" : "no") : value}\n`)
    .join("");
}
