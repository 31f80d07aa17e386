import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { shifted } from "../../src/extents/index.ts";
import { type GptPartitionSpec, planGpt, writeGpt } from "../../src/gpt/index.ts";
import { render } from "../support/render.ts";

// The tables of nixpkgs' make-disk-image.nix for a 2 GiB disk, as parted and sgdisk wrote them.

const SECTORS = 4_194_304;
const DISK_GUID = "97FD5997-F390-0B4A-A3F8-D106C1723AEA";
const FIRST_GUID = "1C06F03B-704E-4657-B9CD-681A087A2FDC";
const SECOND_GUID = "970C694F-AFD0-4B99-B750-CDB7A329AB6F";
const ROOT_GUID = "F222513B-DED1-49FA-B591-20CE86A2FE7F";

const ROOT: GptPartitionSpec = {
  type: "linux-generic",
  guid: ROOT_GUID,
  firstLba: 499_712,
  lastLba: 4_192_255,
  name: "primary",
};
const WIDE_ESP: GptPartitionSpec = {
  type: "esp",
  guid: FIRST_GUID,
  firstLba: 16_384,
  lastLba: 499_711,
  name: "ESP",
};

const LAYOUTS: readonly { name: string; partitions: GptPartitionSpec[]; first34: string; last33: string }[] =
  [
    {
      name: "legacy+gpt",
      partitions: [
        { type: "bios-boot", guid: FIRST_GUID, firstLba: 2048, lastLba: 4095, name: "no-fs" },
        { ...ROOT, guid: SECOND_GUID, firstLba: 4096 },
      ],
      first34: "7d621cff2bb50996a1f4bfe9ae5c8c8e0f369353c9bb0c5f60cbc0376e2fca54",
      last33: "0eabbf228f3f9cac06cada909849ceb1d1f60700d7d5d1eeb9673e2175acaefa",
    },
    {
      name: "efi",
      partitions: [WIDE_ESP, ROOT],
      first34: "f33eb6cf2272b2500375938aa6e33ff9506cfbbe9e544777416fa8e57b72310c",
      last33: "25137906e0b14c100a087034afb28884ed027c26d207bbab1b4b51706da2a8dd",
    },
    {
      name: "efixbootldr",
      partitions: [
        { ...WIDE_ESP, lastLba: 204_799 },
        { type: "xbootldr", guid: SECOND_GUID, firstLba: 204_800, lastLba: 499_711, name: "BOOT" },
        { ...ROOT, name: "ROOT" },
      ],
      first34: "b260e8da5656e487927e68a9f8861c03357879d109237bfebf9dff3ffb01c883",
      last33: "10655427ded867eb54c5878011ff3cd1d2dc19bde2287c6dfe336b4e08c7f8a0",
    },
    {
      name: "hybrid",
      partitions: [
        WIDE_ESP,
        { type: "bios-boot", guid: SECOND_GUID, firstLba: 34, lastLba: 2048, name: "no-fs" },
        ROOT,
      ],
      first34: "cbd903fb0b30f9e2539b9681a373c1e1cca7b878838f1d0f1f3391a8dd226a5b",
      last33: "0733d6f5b5761128193c5d1dd3e63737da64e3d3932791e767fd7ec82ff45968",
    },
  ];

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("GPT of make-disk-image.nix", () => {
  it.each(LAYOUTS)("$name has the same bytes", async ({ partitions, first34, last33 }) => {
    const plan = planGpt({ sectors: SECTORS, diskGuid: DISK_GUID, partitions });
    expect(plan).toMatchObject({ firstUsableLba: 34, lastUsableLba: 4_194_270 });
    const extents = [...writeGpt(plan)];
    const tail = (SECTORS - 33) * 512;
    const head = await render(
      extents.filter(({ position }) => position < tail),
      34 * 512,
    );
    const end = await render(
      shifted(
        extents.filter(({ position }) => position >= tail),
        -tail,
      ),
      33 * 512,
    );
    expect(sha256(head)).toBe(first34);
    expect(sha256(end)).toBe(last33);
  });
});
