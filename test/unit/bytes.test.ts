import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  appendAll,
  array,
  byteKey,
  bytes,
  codeUnitText,
  crc32,
  crc32c,
  crc32cRegister,
  escapedJson,
  formatSize,
  guid,
  guidFromBytes,
  guidToBytes,
  identity,
  largestOf,
  Murmur128,
  parseGuid,
  parseSize,
  printable,
  printableLines,
  printableText,
  record,
  reserved,
  smallestOf,
  u8,
  u16,
  u32,
  u64,
  utf8,
  uuidFromBytes,
  uuidToBytes,
} from "../../src/bytes/index.ts";

describe("record", () => {
  const example = record({
    signature: bytes(4),
    flags: u8,
    gap: reserved(3),
    port: u16,
    counts: array(u16, 2),
    size: u64,
    id: guid,
    last: u32,
  });
  const value = {
    signature: utf8("DISK"),
    flags: 7,
    port: 0x1234,
    counts: [1, 0xffff],
    size: (1n << 64n) - 1n,
    id: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
    last: 0xfedcba98,
  };

  it("lays fields out in order, little-endian, reserved bytes zero", () => {
    expect(Buffer.from(example.toBytes(value)).toString("hex")).toBe(
      "4449534b" +
        "07" +
        "000000" +
        "3412" +
        "0100ffff" +
        "ffffffffffffffff" +
        "28732ac11ff8d211ba4b00a0c93ec93b" +
        "98badcfe",
    );
    expect(example.span).toBe(42);
    expect(example.offsetOf("size")).toBe(14);
  });

  it("reads back what it writes, with no key for reserved bytes", () => {
    expect(example.fromBytes(example.toBytes(value))).toEqual(value);
  });

  it.each([
    [{ ...value, flags: 256 }, RangeError, '"flags" expected an integer from 0 to 255, got 256'],
    [{ ...value, port: 1.5 }, RangeError, '"port"'],
    [{ ...value, last: Number.NaN }, RangeError, '"last"'],
    [{ ...value, size: -1n }, RangeError, '"size"'],
    [{ ...value, counts: [1] }, RangeError, "2 elements"],
    [{ ...value, counts: [1, 70000] }, RangeError, '"counts[1]"'],
    [{ ...value, signature: utf8("LARGE") }, RangeError, "at most 4 bytes"],
    [{ ...value, port: undefined }, TypeError, '"port" expected a value'],
    [{ ...value, extra: 1 }, TypeError, '"extra" is not a field'],
  ])("refuses values that the field cannot hold", (wrong, type, message) => {
    const encode = (): unknown => example.toBytes(wrong as typeof value);
    expect(encode).toThrow(type);
    expect(encode).toThrow(message);
  });

  it("refuses to read past the end", () => {
    expect(() => example.fromBytes(new Uint8Array(41))).toThrow(RangeError);
  });
});

describe("checksums", () => {
  it("match the published check values", () => {
    expect(crc32(utf8("123456789"))).toBe(0xcbf43926);
    expect(crc32c(utf8("123456789"))).toBe(0xe3069283);
  });

  it("chain as a register", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        const chained = crc32cRegister(crc32cRegister(0xffffffff, a), b);
        expect((chained ^ 0xffffffff) >>> 0).toBe(crc32c(Uint8Array.from([...a, ...b])));
      }),
    );
  });
});

describe("GUIDs", () => {
  it("are mixed-endian in a GPT and in written order elsewhere", () => {
    const text = "21686148-6449-6e6f-744e-656564454649";
    expect(printable(guidToBytes(text))).toBe("Hah!IdontNeedEFI");
    expect(printable(uuidToBytes(text))).toBe("!haHdInotNeedEFI");
  });

  it("survive both orders", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (raw) => {
        expect(guidToBytes(guidFromBytes(raw))).toEqual(raw);
        expect(uuidToBytes(uuidFromBytes(raw))).toEqual(raw);
      }),
    );
  });

  it("are read in either case and refused in any other shape", () => {
    expect(parseGuid("F222513B-DED1-49FA-B591-20CE86A2FE7F")).toBe("f222513b-ded1-49fa-b591-20ce86a2fe7f");
    for (const wrong of [
      "",
      "{f222513b-ded1-49fa-b591-20ce86a2fe7f}",
      "97FD5997-D90B-4AA3-8D16-C1723AEA73C",
    ]) {
      expect(() => parseGuid(wrong)).toThrow("is not a GUID");
    }
  });

  it("derive from a seed as RFC 9562 says", () => {
    // Appendix A.4 of RFC 9562: www.example.com in the DNS namespace.
    expect(identity("6ba7b810-9dad-11d1-80b4-00c04fd430c8").uuid("www.example.com")).toBe(
      "2ed6657d-e927-568b-95e1-2665a8aea6a2",
    );
    expect(identity("a").uuid("disk")).not.toBe(identity("b").uuid("disk"));
    expect(identity("a").uuid("disk")).toBe("6c99a935-9514-5606-a2ab-bd7a8d4b44cf");
  });
});

describe("sizes", () => {
  it.each([
    ["0", 0],
    ["4096", 4096],
    ["512M", 512 * 2 ** 20],
    ["512MiB", 512 * 2 ** 20],
    ["256MB", 256e6],
    ["1.5GiB", 1.5 * 2 ** 30],
    ["1.5g", 1.5 * 2 ** 30],
    ["2T", 2 * 2 ** 40],
    ["7 kib", 7 * 2 ** 10],
    ["7KB", 7000],
    ["12B", 12],
  ])("reads %s", (text, size) => expect(parseSize(text)).toBe(size));

  it.each(["", "M", "-1", "1e3", "0x10", "12 parsecs", "1.5", "0.3K", "99999999T", "NaN", "1,5G"])(
    "refuses %j with the accepted forms",
    (text) => expect(() => parseSize(text)).toThrow("powers of 1024"),
  );

  it("writes them for people", () => {
    expect(formatSize(1)).toBe("1 byte");
    expect(formatSize(512)).toBe("512 bytes");
    expect(formatSize(3 * 2 ** 20)).toBe("3 MiB");
    expect(formatSize(1.5 * 2 ** 30)).toBe("1.50 GiB");
  });
});

describe("printable", () => {
  it("keeps text and escapes what could steer a terminal", () => {
    expect(printable(utf8("naïve ☃.txt"))).toBe("naïve ☃.txt");
    expect(printable(utf8("a\x1b[2J\nb"))).toBe("a\\x1b[2J\\x0ab");
    expect(printable(Uint8Array.of(0x61, 0xff, 0xfe))).toBe("a\\xff\\xfe");
  });

  it.each([
    ["C0", "\x00\x07\t\x1f\x7f", "\\x00\\x07\\x09\\x1f\\x7f"],
    ["C1", "\u0080\u009b\u009f", "\\u0080\\u009b\\u009f"],
    ["marks of direction", "\u200e\u200f\u061c", "\\u200e\\u200f\\u061c"],
    ["embeddings and overrides", "\u202a\u202b\u202c\u202d\u202e", "\\u202a\\u202b\\u202c\\u202d\\u202e"],
    ["isolates", "\u2066\u2067\u2068\u2069", "\\u2066\\u2067\\u2068\\u2069"],
    ["separators", "\u2028\u2029", "\\u2028\\u2029"],
    ["what cannot be seen", "\u200b\u2060\ufeff\u00ad", "\\u200b\\u2060\\ufeff\\u00ad"],
    ["tags", "\u{e0041}", "\\u{e0041}"],
  ])("escapes %s", (_, text, shown) => {
    expect(printableText(text)).toBe(shown);
    expect(printable(utf8(text))).toBe(shown);
    expect(printableLines(`${text}\n${text}`)).toBe(`${shown}\n${shown}`);
  });

  it("escapes the same in JSON, which means the same", () => {
    const value = { "a\u202e": ["\u009b\u2028", "\u{e0041}"] };
    const json = escapedJson(JSON.stringify(value, null, 2));
    expect(json).toContain('"\\u009b\\u2028"');
    expect(json).toContain('"\\udb40\\udc41"');
    expect(JSON.parse(json)).toEqual(value);
  });

  it("escapes the end of a line, unless text is to have lines", () => {
    expect(printableText("a\r\nb")).toBe("a\\x0d\\x0ab");
    expect(printableLines("a\r\nb")).toBe("a\\x0d\nb");
  });

  it("escapes half a surrogate pair, and no whole one", () => {
    expect(printableText("\ud83d")).toBe("\\ud83d");
    expect(printableText("\u{1f600}")).toBe("\u{1f600}");
  });

  it("shows the start and the end of what is longer than any path, cut between characters", () => {
    const odd = "\\xff".repeat(256);
    expect(printable(new Uint8Array(400_000).fill(0xff))).toBe(`${odd} … 399488 bytes … ${odd}`);
    const long = utf8(`a${"ä".repeat(3000)}z`);
    expect(printable(long)).toBe(`a${"ä".repeat(127)} … 5490 bytes … ${"ä".repeat(128)}z`);
    expect(printable(utf8("x".repeat(4096)))).toBe("x".repeat(4096));
  });
});

describe("long lists and texts", () => {
  const MANY = 500_000;

  it("are no arguments of a call", () => {
    const list: number[] = [];
    appendAll(
      list,
      Array.from({ length: MANY }, (_, index) => index),
    );
    expect([list.length, largestOf(list), smallestOf(list)]).toEqual([MANY, MANY - 1, 0]);
    expect([largestOf([]), smallestOf([])]).toEqual([Math.max(), Math.min()]);
  });

  it("are made of bytes and code units", () => {
    expect(byteKey(new Uint8Array(MANY).fill(0xe9))).toBe("é".repeat(MANY));
    expect(codeUnitText(new Uint16Array(MANY).fill(0xd83d))).toBe("\ud83d".repeat(MANY));
  });
});

describe("Murmur128", () => {
  const digest = (...pieces: Uint8Array[]): string => {
    const hash = new Murmur128();
    for (const piece of pieces) hash.update(piece);
    return Array.from(hash.digest(), (word) => word.toString(16).padStart(8, "0")).join("");
  };

  it("gives the published values", () => {
    expect(digest()).toBe("0".repeat(32));
    expect(digest(utf8("The quick brown fox jumps over the lazy dog"))).toBe(
      "2f1583c3ecee2c675d7bf66ce5e91d2c",
    );
  });

  it("gives the same in whatever pieces the bytes come", () => {
    const bytes = Uint8Array.from({ length: 100 }, (_, index) => (index * 37) & 0xff);
    for (let first = 0; first <= 40; first++) {
      const pieces = [bytes.subarray(0, first), bytes.subarray(first, first + 7), bytes.subarray(first + 7)];
      expect(digest(...pieces)).toBe(digest(bytes));
    }
  });
});
