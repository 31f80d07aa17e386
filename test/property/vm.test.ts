import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import { DiskwrightError } from "../../src/errors.ts";
import { cpioArchive } from "../../src/vm/cpio.ts";
import { kernelHeader } from "../../src/vm/kernel.ts";
import { moduleInfo } from "../../src/vm/module-info.ts";
import { Monitor } from "../../src/vm/monitor.ts";
import { LineSplitter, OutputFilter, parseRecord, readableTail, Tail } from "../../src/vm/protocol.ts";
import { kernelModule } from "../support/elf.ts";

const NONCE = "n";

/** Bytes that hold parts of marks and lines more often than chance would. */
const stream = fc
  .array(
    fc.oneof(fc.constantFrom("n", "n ", "n end\n", "n output\n", "\n", "end", "n exit 3\n"), fc.string()),
    { maxLength: 30 },
  )
  .map((parts) => utf8(parts.join("")));

const cuts = fc.array(fc.nat(200), { maxLength: 20 });

/** The same bytes in pieces. */
function pieces(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [0, ...at.map((place) => Math.min(place, bytes.length)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

function joined(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString("latin1");
}

describe("streams of a machine", () => {
  it("mean the same in any pieces", () => {
    fc.assert(
      fc.property(stream, cuts, (bytes, at) => {
        const read = (parts: readonly Uint8Array[]) => {
          const filter = new OutputFilter(NONCE);
          const lines = new LineSplitter();
          const tail = new Tail(10);
          const output = parts.map((part) => filter.feed(part));
          const records = parts.flatMap((part) => lines.feed(part)).map((line) => parseRecord(line, NONCE));
          for (const part of parts) tail.add(part);
          return {
            output: joined([...output, filter.finish()]),
            records,
            tail: joined([tail.bytes]),
            is: filter.isComplete,
          };
        };
        expect(read(pieces(bytes, at))).toEqual(read([bytes]));
      }),
    );
  });

  it("give back what was printed, if it holds no mark", () => {
    fc.assert(
      fc.property(fc.uint8Array(), cuts, (printed, at) => {
        const nonce = "a nonce that nobody can guess";
        const filter = new OutputFilter(nonce);
        const whole = Buffer.concat([utf8(`noise${nonce} output\n`), printed, utf8(`${nonce} end\nnoise`)]);
        expect(joined(pieces(whole, at).map((part) => filter.feed(part)))).toBe(joined([printed]));
      }),
    );
  });

  it("of any bytes harm nobody", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        new Monitor().feed(Buffer.concat([bytes, utf8("\n")]));
        const tail = new Tail(1000);
        tail.add(bytes);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
        expect(readableTail(tail, 100)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
      }),
    );
  });
});

describe("files of a kernel", () => {
  it("are read or refused, whatever is changed in them", () => {
    const module = kernelModule("depends=a,b", "softdep=pre: c");
    const changes = fc.array(fc.tuple(fc.nat(module.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(changes, fc.nat(module.length), (changed, length) => {
        const bytes = module.slice(0, length);
        for (const [at, value] of changed) if (at < length) bytes[at] = value;
        try {
          moduleInfo(bytes, "a.ko");
        } catch (error) {
          expect(error).toBeInstanceOf(DiskwrightError);
        }
        kernelHeader(bytes);
      }),
    );
  });
});

describe("archives", () => {
  it("have their parts on words, whatever their lengths", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.stringMatching(/^[a-z]{1,9}$/), fc.uint8Array())), (files) => {
        const archive = cpioArchive(
          files.map(([path, bytes]) => ({ path, type: "file", mode: 0o644, bytes })),
        );
        expect(archive.length % 4).toBe(0);
        const text = Buffer.from(archive).toString("latin1");
        let at = 0;
        for (const [path, bytes] of files) {
          expect(text.slice(at, at + 6)).toBe("070701");
          expect(text.slice(at + 110, at + 110 + path.length + 1)).toBe(`${path}\0`);
          at += Math.ceil((110 + path.length + 1) / 4) * 4;
          expect(text.slice(at, at + bytes.length)).toBe(joined([bytes]));
          at += Math.ceil(bytes.length / 4) * 4;
        }
        expect(text.slice(at + 110)).toMatch(/^TRAILER!!!\0/);
      }),
    );
  });
});
