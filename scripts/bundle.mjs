// Packs the command line into a folder that needs nothing beside it, of a few files: to find and to read a module takes
// a third of a millisecond, and there are hundreds. They are CommonJS: as ECMAScript modules, the same code takes 10 to
// 20 ms longer to start. The library is not packed.

import { chmodSync, copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = join(root, "dist/bin");
const at = (path) => join(root, "dist", path);

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Files that packages look for where their code lies. */
const READ_BESIDE_THE_CODE = ["@bokuweb/zstd-wasm/dist/common/zstd.wasm"];

const NO_PROGRAMS = "\0no-programs";

/** commander can start a program for a subcommand; there is none, and what starts programs takes its time to load. */
const withoutPrograms = {
  name: "without-programs",
  resolveId: (name, importer) =>
    name === "node:child_process" && importer?.includes("/node_modules/commander/") ? NO_PROGRAMS : undefined,
  load: (id) => (id === NO_PROGRAMS ? "export {};" : undefined),
};

const main = { diskwright: at("cli/main.js") };

rmSync(out, { recursive: true, force: true });
// What the lightest command needs is needed by all, so it goes into one file. The rest is loaded when it is wanted.
const base = loadedBy(await chunksOf(main), [at("cli/convert.js")]);
base.delete(main.diskwright);
const packed = [
  ...(await chunksOf(main, { write: true, groups: [{ name: "base", test: (id) => base.has(id) }] })),
  // The worker is started by the name of its file, beside the code that starts it. It has nothing in common with
  // that: the less it holds, the sooner it has started.
  ...(await chunksOf({ "pack-worker": at("node/pack-worker.js") }, { write: true })),
];
chmodSync(join(out, "diskwright.js"), 0o755);
writeFileSync(join(out, "package.json"), '{ "type": "commonjs" }\n');
for (const file of READ_BESIDE_THE_CODE)
  copyFileSync(join(root, "node_modules", file), join(out, basename(file)));
writeFileSync(join(out, "LICENSES.txt"), licenses(packed.flatMap(({ moduleIds }) => moduleIds)));

/** Packs what starts at some files. */
async function chunksOf(input, { write = false, groups = [] } = {}) {
  const bundle = await rolldown({
    input,
    platform: "node",
    // Native code, which is there or not.
    external: ["@napi-rs/xattr"],
    transform: { define: { DISKWRIGHT_VERSION: JSON.stringify(version) } },
    treeshake: { moduleSideEffects: false },
    // Its form for Node loads all of node:crypto for a SHA-1.
    resolve: { alias: { uuid: join(root, "node_modules/uuid/dist/index.js") } },
    plugins: [withoutPrograms],
  });
  const options = {
    dir: out,
    format: "cjs",
    // Node reads and scans all of a file before it runs any of it.
    comments: { legal: true, annotation: false, jsdoc: false },
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    codeSplitting: { groups },
  };
  const { output } = await (write ? bundle.write(options) : bundle.generate(options));
  await bundle.close();
  return output.filter(({ type }) => type === "chunk");
}

/** The modules that are loaded with any of those that are imported when they are wanted. */
function loadedBy(chunks, modules) {
  const loaded = new Set(
    chunks.filter(({ facadeModuleId, isEntry }) => isEntry || modules.includes(facadeModuleId)),
  );
  // A set can grow while it is gone through.
  for (const { imports } of loaded) {
    for (const chunk of chunks) if (imports.includes(chunk.fileName)) loaded.add(chunk);
  }
  return new Set([...loaded].flatMap(({ moduleIds }) => moduleIds));
}

/** The licences of the packages that were packed in, as they ask for. */
function licenses(modules) {
  const names = modules.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  const packages = [...new Set(names.filter((name) => name !== undefined))].sort();
  return packages.map((name) => `${name}\n\n${license(join(root, "node_modules", name))}`).join("\n----\n\n");
}

function license(directory) {
  const file = readdirSync(directory).find((name) => /^licen[cs]e/i.test(name));
  if (file !== undefined) return readFileSync(join(directory, file), "utf8");
  const { license, author } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  return `${license}, by ${typeof author === "string" ? author : author?.name}\n`;
}
