import { defineConfig } from "vitest/config";

// Benchmarks are no tests: they print ratios and judge nothing. `npm run bench`, or with a name to choose.
export default defineConfig({
  test: {
    include: ["bench/*.bench.ts"],
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    fileParallelism: false,
    reporters: ["dot"],
  },
});
