import { utf8 } from "../../../src/bytes/index.ts";
import {
  base256,
  END_MARK,
  GNU,
  gnuLong,
  gnuSparse,
  header,
  joined,
  member,
  padded,
  pax,
  paxRecord,
} from "../../support/tar-writer.ts";

// Archives that are hostile or odd. Each becomes a tree, or an error that says what is wrong and where.

/** What is wrong with an archive, or nothing; the bytes; and what the error says, or `tree`. */
export interface OddArchive {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly expected: RegExp | "tree";
}

const HUGE_PAX = 2 * 1024 * 1024;

function archive(what: string, expected: RegExp | "tree", ...parts: readonly Uint8Array[]): OddArchive {
  return { what, expected, bytes: joined(...parts, END_MARK) };
}

/** As it is, without an end mark. */
function raw(what: string, expected: RegExp | "tree", ...parts: readonly Uint8Array[]): OddArchive {
  return { what, expected, bytes: joined(...parts) };
}

function sparse10(map: string, size = "5000", stored = ""): Uint8Array {
  const content = joined(padded(map), stored);
  return joined(
    pax([
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.name", "holes"],
      ["GNU.sparse.realsize", size],
    ]),
    member({ name: "x" }, content),
  );
}

function sparse01(map: string, size: string, stored = ""): Uint8Array {
  return joined(
    pax([
      ["GNU.sparse.size", size],
      ["GNU.sparse.map", map],
    ]),
    member({ name: "holes" }, stored),
  );
}

function sparseGnu(data: readonly { offset: number; length: number }[], size: number, stored = ""): Uint8Array {
  const { over, extensions } = gnuSparse(data, size);
  return joined(
    header({ name: "holes", type: "S", magic: GNU, size: stored.length, over }),
    extensions,
    padded(stored),
  );
}

export const ODD_ARCHIVES: readonly OddArchive[] = [
  // What is no archive, or not a whole one.
  raw("nothing at all", /the archive is empty: it has not even an end mark/),
  raw("text", /it is no tar archive/, utf8("hello, world\n")),
  raw("a block of text", /it is no tar archive/, utf8("hello, world\n".repeat(100))),
  raw("a lone block of zeros", "tree", new Uint8Array(512)),
  raw("an end mark", "tree", END_MARK),
  raw("half a header", /it is no tar archive/, header().subarray(0, 300)),
  raw(
    "half a header behind a member",
    /ends at byte 1324 in the middle of a header \(byte 1024 of the archive\)/,
    member({ name: "a" }, "a"),
    header().subarray(0, 300),
  ),
  raw("no end mark", "tree", member({ name: "a" }, "a")),
  raw("no padding behind the last content", "tree", header({ name: "a", size: 3 }), utf8("abc")),
  raw(
    "content that is cut off",
    /ends at byte 514 in the middle of cut/,
    header({ name: "cut", size: 600 }),
    utf8("ab"),
  ),
  raw(
    "a size that the archive does not have",
    /ends at byte 512 in the middle of huge/,
    header({ name: "huge", size: base256(2n ** 52n, 12) }),
  ),
  raw("an extended header that is cut off", /in the middle of PaxHeaders\/x/, header({ name: "PaxHeaders/x", type: "x", size: 100 })),
  raw("an extended header of nothing", /nothing follows an extended header.*byte 0/, pax([["path", "a"]])),
  archive("an extended header before the end mark", /nothing follows an extended header/, pax([["path", "a"]])),
  archive("a long name of nothing", /nothing follows an extended header/, gnuLong("L", "a")),
  archive("a checksum that is wrong", /a header is damaged.*byte 512/, member({ name: "a" }), header({ checksum: () => 1 })),
  archive("a checksum that is no number", /a header is damaged/, member({ name: "a" }), header({ over: [[148, utf8("????????")]], checksum: () => 0o77777777 })),

  // Numbers.
  archive("a negative size", /file: its size is negative.*byte 0/, header({ size: base256(-1n, 12) })),
  archive("a size of 2^53", /file: its size is no number below 2\^53/, header({ size: base256(2n ** 53n, 12) })),
  archive("a size of words", /file: its size is no number/, header({ size: utf8("eleven") })),
  archive("an owner of -1", /file: its owner -1:0 is not within/, header({ uid: base256(-1n, 8) })),
  archive("a group of 2^32", /file: its owner 0:4294967296 is not within/, pax([["gid", "4294967296"]]), member({})),
  archive("an owner of words", /file: its owner is no number/, pax([["uid", "root"]]), member({})),
  archive("a negative size in pax", /file: its size is no number/, pax([["size", "-5"]]), member({})),
  archive("a size in pax with an exponent", /file: its size is no number/, pax([["size", "1e3"]]), member({})),
  archive("a time beyond all", /file: its time is no number of seconds below 2\^53/, pax([["mtime", "99999999999999999999"]]), member({})),
  archive("a time of words", /file: its time is no number/, pax([["mtime", "noon"]]), member({})),
  archive("a device that is too large", /file: its device number is not within/, pax([["SCHILY.devmajor", "4096"]]), member({ type: "3" })),

  // Extended headers.
  archive("a record that is longer than all", /the extended header cannot be read/, member({ type: "x" }, "99 path=a\n"), member({})),
  archive("a record of no length", /the extended header cannot be read/, member({ type: "x" }, "0 path=a\n"), member({})),
  archive("a record whose length is not decimal", /the extended header cannot be read/, member({ type: "x" }, "0xa path=a\n"), member({})),
  archive("a record whose length has an exponent", /the extended header cannot be read/, member({ type: "x" }, "1e1 path=a\n"), member({})),
  archive("a record without a newline", /the extended header cannot be read/, member({ type: "x" }, "9 path=a!"), member({})),
  archive("a record without an equals sign", /the extended header cannot be read/, member({ type: "x" }, "9 path:a\n"), member({})),
  archive("bytes that are no records", /the extended header cannot be read/, member({ type: "x" }, new Uint8Array(500).fill(0x31)), member({})),
  raw("an extended header of 2 MiB", /x: the extended headers of a member have 2,097,152 bytes, the limit is 1,048,576/, header({ name: "x", type: "x", size: HUGE_PAX })),
  raw("a long name of 2 MiB", /the limit is 1,048,576 bytes/, header({ type: "L", magic: GNU, size: HUGE_PAX })),
  raw("an extended header of 8 PiB", /the limit is 1,048,576 bytes/, header({ type: "x", size: base256(2n ** 53n - 1n, 12) })),
  raw("an extended header of negative size", /the size of an extended header is no number/, header({ type: "x", size: base256(-1n, 12) })),
  archive(
    "many records for all members",
    /the global headers have 300 records .* the limit is 256/,
    pax(Array.from({ length: 300 }, (_, index) => [`k${index}`, "v"] as const), "g"),
    member({}),
  ),
  archive("an empty extended header", "tree", member({ type: "x" }), member({})),
  archive("a record that takes a name away", "tree", pax([["path", ""]]), member({ name: "own" })),
  archive("padding behind the records", "tree", member({ type: "x" }, joined(paxRecord("path", "b"), new Uint8Array(9))), member({})),
  archive("a name with a NUL", /its name holds a NUL/, pax([["path", "a\0b"]]), member({})),
  archive("a member without a name", /a member has no name/, header({ name: "" })),
  archive("another volume", /join the volumes first/, header({ type: "M", magic: GNU })),
  archive("another volume in pax", /join the volumes first/, pax([["GNU.volume.offset", "512"]], "g"), member({})),

  // Sparse files.
  archive("a map of zeros", /holes: the map of its sparse parts cannot be read/, sparse10(`3\n${"\0".repeat(2000)}`)),
  archive("a map without an end", /holes: the map of its sparse parts cannot be read/, sparse10(`3\n${"1".repeat(600)}`)),
  archive("a map that is cut off", /holes: the map of its sparse parts is cut off/, sparse10(`300\n${"1\n".repeat(254)}`)),
  archive("a map of a million parts and one", /holes: the map of its sparse parts cannot be read/, sparse10("1000001\n")),
  archive("a map of words", /holes: the map of its sparse parts cannot be read/, sparse10("one\n")),
  archive("a map in descending order", /holes: the map of its sparse parts is not in order/, sparse10("2\n512\n1\n0\n1\n", "5000", "ab")),
  archive("a map with parts that overlap", /holes: the map of its sparse parts is not in order/, sparse10("2\n0\n2\n1\n1\n", "5000", "abc")),
  archive("a map beyond the size", /holes: the map of its sparse parts goes beyond its size/, sparse10("1\n4999\n2\n", "5000", "ab")),
  archive("a map beyond 2^53", /holes: the map of its sparse parts goes beyond its size/, sparse10("1\n9007199254740991\n1\n", "9007199254740991", "a")),
  archive("a map of more than is stored", /holes: the map of its sparse parts tells of 3 bytes, 2 are stored/, sparse10("1\n0\n3\n", "5000", "ab")),
  archive("a map of less than is stored", /holes: the map of its sparse parts tells of 1 bytes, 2 are stored/, sparseGnu([{ offset: 0, length: 1 }], 9, "ab")),
  archive("a map without a size", /holes: the map of its sparse parts cannot be read/, sparse10("0\n", "")),
  archive("a map of half a part", /holes: the map of its sparse parts cannot be read/, sparse01("0,1,2", "5", "a")),
  archive("a sparse format of the future", /sparse in a format that is not known/, pax([["GNU.sparse.major", "2"], ["GNU.sparse.minor", "0"]]), member({}, "a")),
  archive("a sparse file of star", /in the way of star/, header({ type: "S" })),
  raw("a map whose extension is missing", /the map of its sparse parts cannot be read/, header({ type: "S", magic: GNU, over: [[482, Uint8Array.of(1)], [483, utf8("00000001000\0")]] })),
  archive("a sparse file of 8 PiB without data", "tree", sparse01("", "9007199254740991")),
  archive("a map on what is no file", "tree", pax([["GNU.sparse.major", "9"]]), member({ name: "d", type: "5" })),

  // Where things lie.
  archive("a way out", /\.\.\/etc\/passwd: "\.\." would leave the tree/, member({ name: "../etc/passwd" }, "x")),
  archive("a way out in the middle", /a\/\.\.\/\.\.\/b: "\.\." would leave/, member({ name: "a/../../b" }, "x")),
  archive("a hard link out of the tree", /l: hard link to \.\.\/x: "\.\." would leave/, member({ name: "l", type: "1", link: "../x" })),
  archive("a hard link to nothing", /l.*nowhere/, member({ name: "l", type: "1", link: "nowhere" })),
  archive("a hard link to itself", /l/, member({ name: "l", type: "1", link: "l" })),
  archive("hard links in a circle", /a.*b|b.*a/s, member({ name: "a", type: "1", link: "b" }), member({ name: "b", type: "1", link: "a" })),
  archive("a hard link to a directory", /l: hard link to the directory d/, member({ name: "d/", type: "5" }), member({ name: "l", type: "1", link: "d" })),
  archive("a file below a symlink", "tree", member({ name: "link", type: "2", link: "/etc" }), member({ name: "link/x" }, "x")),
  archive("a file below a file", /\/f: is a file, but other entries lie below it: f\/x/, member({ name: "f" }, "f"), member({ name: "f/x" }, "x")),
  archive("a root that is a file", /root must be a directory/, member({ name: "." }, "x")),
  archive("a symlink to nothing at all", /a symlink needs a target/, member({ name: "s", type: "2" })),
  archive("a name of 256 bytes", /n{20}.*255/, gnuLong("L", "n".repeat(256)), member({ magic: GNU })),
  archive("a name of slashes", "tree", member({ name: "///", type: "5" })),
  archive("a path of 5000 directories", "tree", pax([["path", "d/".repeat(5000)]]), member({ type: "5" })),
  archive("an attribute of 70,000 bytes", /user\.large" has 70000 bytes, the limit is 65536/, pax([["SCHILY.xattr.user.large", "v".repeat(70_000)]]), member({})),
  archive("an attribute without a name, which is none that is portable", "tree", pax([["SCHILY.xattr.", "v"]]), member({})),
  archive("an access control list of words", "tree", pax([["SCHILY.acl.access", "constructor:1:rwx"]]), member({})),
];
