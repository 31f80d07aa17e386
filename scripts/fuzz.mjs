// Packs the fuzzer, which is TypeScript and works in a worker, and runs it: npm run fuzz -- --help

import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
// Two runs at once must not write over each other's files.
const out = join(root, "node_modules/.cache/diskwright-fuzz", String(process.pid));

const bundle = await rolldown({
  input: { main: join(root, "test/fuzz/main.ts"), worker: join(root, "test/fuzz/worker.ts") },
  platform: "node",
  external: [/^[^./]/],
});
await bundle.write({ dir: out, format: "esm", entryFileNames: "[name].js" });
await bundle.close();
const { rmSync } = await import("node:fs");
process.on("exit", () => rmSync(out, { recursive: true, force: true }));
await import(pathToFileURL(join(out, "main.js")).href);
