import fc from "fast-check";
import { expect, it } from "vitest";
import { menuConfiguration } from "../../src/boot/grub/config.ts";
import type { LinuxEntry } from "../../src/boot/index.ts";
import { describeWith, run } from "../support/referee.ts";

const ROOT = { mount: "/", type: "ext4", uuid: "0f1e2d3c-4b5a-4968-8776-655443322110" } as const;
const HOME = { volume: ROOT, path: "/boot/grub" };

/** Whether GRUB's own grammar takes a script, and what it says when it does not. */
function checked(script: string): string {
  const { status, output } = run("grub-script-check", [], script);
  return status === 0 ? "" : `${output}\n${script}`;
}

const hostile = fc
  .array(fc.constantFrom(..."'\"\\$(){};|&<>*?[]#!=-~%aé ", "menuentry", "}", "fi"), {
    minLength: 1,
    maxLength: 12,
  })
  .map((parts) => parts.join(""));

const entry = fc.record({
  title: hostile,
  linux: hostile.map((name) => `/${name}`),
  initrds: fc.array(
    hostile.map((name) => `/${name}`),
    { maxLength: 2 },
  ),
  options: fc.array(hostile.map((word) => word.replaceAll(/["'\\]/g, ""))).map((words) => words.join(" ")),
});

describeWith(["grub-script-check"], "the menu", () => {
  it("can tell a sound script from another", () => {
    expect(checked("menuentry 'a' { true\n}\n")).toBe("");
    expect(checked("menuentry 'a' { true\n")).not.toBe("");
  });

  it("is sound, whatever the names in it are", () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 4 }), (entries) => {
        const options = {
          entries: entries.map((it, index): LinuxEntry => ({ ...it, id: `${index} ${it.title}` })),
        };
        expect(checked(menuConfiguration({ ...options, timeout: 5 }, [ROOT], HOME))).toBe("");
      }),
    );
  });
});
