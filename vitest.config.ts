import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Referees are processes: a test may run dozens of them on a loaded machine.
    testTimeout: 300_000,
    // Vitest leaves one processor to itself; here tests mostly wait for other programs.
    maxWorkers: "100%",
    hookTimeout: 300_000,
  },
});
