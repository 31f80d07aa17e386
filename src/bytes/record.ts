import bufferLayout, { type Layout } from "buffer-layout";
import { guidFromBytes, guidToBytes, uuidFromBytes, uuidToBytes } from "./guid.ts";

/**
 * One field of an on-disk record: its width in bytes, and how a value becomes those bytes. Integers are
 * little-endian unless the name says otherwise.
 */
export interface Field<Value> {
  /** Bytes that the field takes. */
  readonly span: number;
  /** Writes `value` at `offset`; `name` is for messages. Throws TypeError or RangeError. */
  encode(value: Value, bytes: Uint8Array, offset: number, name: string): void;
  decode(bytes: Uint8Array, offset: number): Value;
}

/** A field that carries no value: written as zeros, ignored when read. */
export interface Reserved extends Field<never> {
  readonly reserved: true;
}

// biome-ignore lint/suspicious/noExplicitAny: a field of any value, whose type RecordValue then takes out again
type AnyField = Field<any> | Reserved;

type ValueOf<F> = F extends Reserved ? never : F extends Field<infer Value> ? Value : never;

/** The plain object that a record reads and writes: one property for each field that carries a value. */
export type RecordValue<F> = {
  -readonly [Name in keyof F as [ValueOf<F[Name]>] extends [never] ? never : Name]: ValueOf<F[Name]>;
};

/** An on-disk structure: named fields in the order of its specification. It can be a field itself. */
export interface RecordType<Value> extends Field<Value> {
  /** The structure's bytes for `value`, in a new array. */
  toBytes(value: Value): Uint8Array;
  /** The value of the structure that starts at `offset`. Throws RangeError when the bytes end before it. */
  fromBytes(bytes: Uint8Array, offset?: number): Value;
  /** Where a field starts, in bytes from the start of the structure. */
  offsetOf(name: string): number;
}

function fail(name: string, expected: string, got: unknown): never {
  const shown = typeof got === "bigint" ? `${got}n` : JSON.stringify(got);
  if (typeof got === "number" || typeof got === "bigint") {
    throw new RangeError(`"${name}" expected ${expected}, got ${shown ?? String(got)}`);
  }
  throw new TypeError(`"${name}" expected ${expected}, got ${shown ?? String(got)}`);
}

/** buffer-layout asks for Node's Buffer; these are the only accessors that the fields below hand on. */
function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function unsigned(span: 1 | 2 | 4, isLittleEndian = true): Field<number> {
  const limit = 2 ** (8 * span) - 1;
  return {
    span,
    encode(value, bytes, offset, name): void {
      if (!Number.isInteger(value) || value < 0 || value > limit) {
        fail(name, `an integer from 0 to ${limit}`, value);
      }
      if (span === 1) bytes[offset] = value;
      else if (span === 2) view(bytes).setUint16(offset, value, isLittleEndian);
      else view(bytes).setUint32(offset, value, isLittleEndian);
    },
    decode(bytes, offset): number {
      if (span === 1) return bytes[offset]!;
      const word = view(bytes);
      return span === 2 ? word.getUint16(offset, isLittleEndian) : word.getUint32(offset, isLittleEndian);
    },
  };
}

/** An unsigned byte. */
export const u8: Field<number> = unsigned(1);
/** An unsigned 16-bit integer, little-endian. */
export const u16: Field<number> = unsigned(2);
/** An unsigned 32-bit integer, little-endian. */
export const u32: Field<number> = unsigned(4);
/** An unsigned 32-bit integer, big-endian. */
export const u32be: Field<number> = unsigned(4, false);

/** An unsigned 16-bit integer, big-endian. */
export const u16be: Field<number> = unsigned(2, false);

const U64_LIMIT = (1n << 64n) - 1n;

function unsigned64(isLittleEndian: boolean): Field<bigint> {
  return {
    span: 8,
    encode(value, bytes, offset, name): void {
      if (typeof value !== "bigint" || value < 0n || value > U64_LIMIT) {
        fail(name, "a bigint from 0 to 2^64 - 1", value);
      }
      view(bytes).setBigUint64(offset, value, isLittleEndian);
    },
    decode: (bytes, offset) => view(bytes).getBigUint64(offset, isLittleEndian),
  };
}

/** An unsigned 64-bit integer, little-endian, as a bigint: no value is rounded. */
export const u64: Field<bigint> = unsigned64(true);
/** An unsigned 64-bit integer, big-endian, as a bigint. */
export const u64be: Field<bigint> = unsigned64(false);

/** A GUID in the mixed-endian order of UEFI and Microsoft (UEFI 2.10 Appendix A), as lower-case text. */
export const guid: Field<string> = {
  span: 16,
  encode: (value, bytes, offset) => bytes.set(guidToBytes(value), offset),
  decode: (bytes, offset) => guidFromBytes(bytes.subarray(offset, offset + 16)),
};

/** A UUID in the order in which it is written (RFC 9562 §4), as lower-case text. */
export const uuid: Field<string> = {
  span: 16,
  encode: (value, bytes, offset) => bytes.set(uuidToBytes(value), offset),
  decode: (bytes, offset) => uuidFromBytes(bytes.subarray(offset, offset + 16)),
};

/** Up to `span` bytes; shorter values are padded with zeros. */
export function bytes(span: number): Field<Uint8Array> {
  return {
    span,
    encode(value, target, offset, name): void {
      if (!(value instanceof Uint8Array)) fail(name, "a Uint8Array", value);
      if (value.length > span) fail(name, `at most ${span} bytes`, value.length);
      target.fill(0, offset, offset + span);
      target.set(value, offset);
    },
    decode: (source, offset) => new Uint8Array(source.subarray(offset, offset + span)),
  };
}

/** Bytes that the specification reserves: written as zeros. */
export function reserved(span: number): Reserved {
  return {
    span,
    reserved: true,
    encode: (_value, target, offset) => void target.fill(0, offset, offset + span),
    decode: () => undefined as never,
  };
}

/** `count` fields of one kind, one after the other. */
export function array<Value>(field: Field<Value>, count: number): Field<readonly Value[]> {
  return {
    span: field.span * count,
    encode(values, target, offset, name): void {
      if (values.length !== count) fail(name, `${count} elements`, values.length);
      values.forEach((value, index) => {
        field.encode(value, target, offset + index * field.span, `${name}[${index}]`);
      });
    },
    decode: (source, offset) =>
      Array.from({ length: count }, (_, index) => field.decode(source, offset + index * field.span)),
  };
}

/** One of our fields in the terms of buffer-layout, which lays the fields of a structure out. */
class FieldLayout extends bufferLayout.Layout<unknown> {
  readonly field: Field<unknown>;

  constructor(field: Field<unknown>, property: string) {
    super(field.span, property);
    this.field = field;
  }

  override decode(source: Uint8Array, offset = 0): unknown {
    return this.field.decode(source, offset);
  }

  override encode(value: unknown, target: Uint8Array, offset = 0): number {
    this.field.encode(value, target, offset, this.property ?? "");
    return this.field.span;
  }
}

/**
 * Declares an on-disk structure. buffer-layout lays the fields out; this adds what it lacks: types, checked
 * values (it writes `NaN`, fractions and missing fields without a word), 64-bit integers, GUIDs, and no need
 * for Node's Buffer. For hot structures (inodes, directory entries) the declaration is the reference that
 * hand-written encoders are tested against: it is some fifty times slower than a DataView.
 */
export function record<F extends Readonly<Record<string, AnyField>>>(fields: F): RecordType<RecordValue<F>> {
  const carrying = new Set(Object.keys(fields).filter((name) => !("reserved" in fields[name]!)));
  const layouts = Object.entries(fields).map(
    ([name, field]): Layout<unknown> => new FieldLayout(field as Field<unknown>, name),
  );
  const structure = new bufferLayout.Structure(layouts);
  const span = structure.span;

  function encode(value: RecordValue<F>, target: Uint8Array, offset: number, name: string): void {
    const source = value as Readonly<Record<string, unknown>>;
    for (const key of carrying) if (source[key] === undefined) fail(joined(name, key), "a value", undefined);
    for (const key of Object.keys(source)) {
      if (!carrying.has(key)) throw new TypeError(`"${joined(name, key)}" is not a field of this structure`);
    }
    if (offset + span > target.length) throw new RangeError(`the structure needs ${span} bytes at ${offset}`);
    // A reserved field has no value of its own, and buffer-layout passes over properties that are missing.
    const complete: Record<string, unknown> = {};
    for (const key of Object.keys(fields)) complete[key] = source[key] ?? null;
    structure.encode(complete, target, offset);
  }

  function decode(source: Uint8Array, offset: number): RecordValue<F> {
    if (offset + span > source.length) {
      throw new RangeError(
        `the structure needs ${span} bytes at ${offset}, there are ${source.length - offset}`,
      );
    }
    const decoded = structure.decode(source, offset);
    for (const key of Object.keys(decoded)) if (!carrying.has(key)) delete decoded[key];
    return decoded as RecordValue<F>;
  }

  return {
    span,
    encode,
    decode,
    toBytes(value): Uint8Array {
      const target = new Uint8Array(span);
      encode(value, target, 0, "");
      return target;
    },
    fromBytes: (source, offset = 0) => decode(source, offset),
    offsetOf(name): number {
      const offset = structure.offsetOf(name);
      if (offset === undefined) throw new TypeError(`no field "${name}"`);
      return offset;
    },
  };
}

function joined(parent: string, child: string): string {
  return parent === "" ? child : `${parent}.${child}`;
}
