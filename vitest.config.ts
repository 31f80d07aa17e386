import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Referees are processes: a test may run dozens of them on a loaded machine.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
