import * as v from "valibot";
import { printable, utf8, utf8Text } from "../../bytes/index.ts";
import { problemsError } from "../../errors.ts";

/**
 * What NixOS says of a system that can be booted (RFC 125, "Bootspec", version 1): the part of the document that boot
 * loaders use.
 */
export interface Bootspec {
  readonly label: string;
  readonly kernel: string;
  readonly kernelParams: readonly string[];
  readonly init: string;
  /** The directory that everything else of the system hangs on. */
  readonly toplevel: string;
  readonly initrd?: string | undefined;
  /** A program that puts secrets into the initrd when the boot loader is installed. */
  readonly initrdSecrets?: string | undefined;
  /** What the module for systemd-boot adds. */
  readonly sortKey?: string | undefined;
  readonly devicetree?: string | undefined;
}

/** A bootspec, and the variants of it by name. */
export interface BootspecDocument {
  readonly spec: Bootspec;
  readonly specialisations: ReadonlyMap<string, Bootspec>;
}

/** Longer files are no bootspec. */
export const LONGEST_BOOTSPEC = 16 * 1024 * 1024;

const BOOTSPEC = "org.nixos.bootspec.v1";
const SPECIALISATION = "org.nixos.specialisation.v1";
const SYSTEMD_BOOT = "org.nixos.systemd-boot";

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const line = v.pipe(v.string("a text"), v.regex(/^[^\x00-\x1f\x7f]*$/, "a text of one line"));
const path = v.pipe(line, v.startsWith("/", "a path from the root"));

const specSchema = v.looseObject(
  {
    label: v.pipe(line, v.nonEmpty("a text that is not empty")),
    kernel: path,
    kernelParams: v.array(line, "a list of texts"),
    init: path,
    toplevel: path,
    initrd: v.nullish(path),
    initrdSecrets: v.nullish(path),
  },
  "an object",
);

const systemdBootSchema = v.looseObject(
  { sortKey: v.nullish(line), devicetree: v.nullish(path) },
  "an object",
);

/**
 * Reads a `boot.json`; `name` is its path, for messages.
 *
 * @throws DiskwrightError `CORRUPT` with every field that is wrong.
 */
export function parseBootspec(bytes: Uint8Array, name: string): BootspecDocument {
  const problems: string[] = [];
  const document = objectOf(parsed(bytes, name), "", problems);
  const spec = document && readSpec(document, "", problems);
  const specialisations = new Map<string, Bootspec>();
  const nested = document?.[SPECIALISATION] ?? {};
  // Not by a schema for records: that would pass over a variant that is called `constructor`.
  for (const [variant, value] of Object.entries(objectOf(nested, SPECIALISATION, problems) ?? {})) {
    const place = `${SPECIALISATION}.${printable(utf8(variant))}`;
    const child = objectOf(value, place, problems);
    const read = child && readSpec(child, `${place}.`, problems);
    if (read !== undefined) specialisations.set(variant, read);
  }
  if (spec === undefined || problems.length > 0) {
    throw problemsError("CORRUPT", `${name} is no bootspec that can be used`, problems, { path: name });
  }
  return { spec, specialisations };
}

type JsonObject = Readonly<Record<string, unknown>>;

function parsed(bytes: Uint8Array, name: string): unknown {
  const refuse = (reason: string) => problemsError("CORRUPT", name, [`it is ${reason}`], { path: name });
  if (bytes.length > LONGEST_BOOTSPEC)
    throw refuse(`longer than the ${LONGEST_BOOTSPEC} bytes that are read`);
  const text = utf8Text(bytes);
  if (text === undefined) throw refuse("no UTF-8");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refuse(`no JSON: ${printable(utf8((error as Error).message))}`);
  }
}

/** The value as an object; what else it is becomes a problem. */
function objectOf(value: unknown, place: string, problems: string[]): JsonObject | undefined {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  problems.push(`${place === "" ? "the document" : place}: expected an object, found ${shownValue(value)}`);
  return undefined;
}

function readSpec(document: JsonObject, place: string, problems: string[]): Bootspec | undefined {
  const spec = readPart(specSchema, document[BOOTSPEC], `${place}${BOOTSPEC}`, problems);
  const extension = readPart(
    systemdBootSchema,
    document[SYSTEMD_BOOT] ?? {},
    `${place}${SYSTEMD_BOOT}`,
    problems,
  );
  if (spec === undefined || extension === undefined) return undefined;
  const { label, kernel, kernelParams, init, toplevel } = spec;
  return {
    label,
    kernel,
    kernelParams,
    init,
    toplevel,
    initrd: spec.initrd ?? undefined,
    initrdSecrets: spec.initrdSecrets ?? undefined,
    sortKey: extension.sortKey ?? undefined,
    devicetree: extension.devicetree ?? undefined,
  };
}

function readPart<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  place: string,
  problems: string[],
): v.InferOutput<Schema> | undefined {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  for (const issue of result.issues) {
    const fields = [place, ...(issue.path ?? []).map(({ key }) => String(key))];
    const isMissing = issue.input === undefined;
    problems.push(
      `${fields.join(".")}: ${isMissing ? "missing" : `expected ${issue.message}, found ${shownValue(issue.input)}`}`,
    );
  }
  return undefined;
}

function shownValue(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value) ?? "nothing";
  return printable(utf8(text.length > 60 ? `${text.slice(0, 60)}…` : text));
}
