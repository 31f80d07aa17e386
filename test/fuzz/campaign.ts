import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digest, type Kind, packed, type Seed, seeds } from "./corpus.ts";
import { minimised } from "./minimise.ts";
import { mutated, type Range } from "./mutate.ts";
import { Random } from "./random.ts";
import { refereeComplaint } from "./referees.ts";
import { containerRanges, repairContainers } from "./repair/containers.ts";
import { ext4Places, ext4Ranges, repairExt4 } from "./repair/ext4.ts";
import { gptRanges, repairGpt } from "./repair/gpt.ts";
import { Runner } from "./runner.ts";

/** What a campaign does. */
export interface CampaignOptions {
  readonly seed: number;
  /** The number of the first input; those before it are left out. */
  readonly from: number;
  readonly iterations: number;
  /** Milliseconds after which no further input is made. */
  readonly time: number;
  /** Beginnings of the names of seeds; none for all. */
  readonly only: readonly string[];
  /** Whether the usual tools judge what our readers take without a word: each `every`th such input, 0 for none. */
  readonly every: number;
  /** Where findings are written to; `undefined` for nowhere. */
  readonly corpus: string | undefined;
  readonly log: (line: string) => void;
}

/** A seed with what is known of its structures. */
interface Subject extends Seed {
  readonly ranges: readonly Range[];
  repair(bytes: Uint8Array): void;
}

/** How findings of the same fault are known: by where it happened. */
function faultKey(fault: string): string {
  return fault.replace(/\d+/g, "N").split("\n").slice(0, 3).join("\n");
}

/** Makes inputs, reads them, and returns how many different findings there were. */
export async function campaign(options: CampaignOptions): Promise<number> {
  const { seed, from, iterations, time, only, every, corpus, log } = options;
  const subjects = await Promise.all((await seeds(only)).map(subjectOf));
  if (subjects.length === 0) throw new RangeError(`no seed has a name that begins with ${only.join(" or ")}`);
  const scratch = mkdtempSync(join(tmpdir(), "diskwright-fuzz-"));
  const runner = new Runner();
  const known = new Set<string>();
  const end = Date.now() + time;
  let silent = 0;
  let done = 0;
  try {
    for (const subject of subjects) {
      const { complaints, fault } = await runner.read(subject.kind, subject.bytes);
      if (fault !== undefined || complaints!.length > 0) {
        throw new Error(`the seed ${subject.name} is not sound: ${fault ?? complaints!.join("; ")}`);
      }
    }
    for (let input = from; input < from + iterations && Date.now() < end; input++, done++) {
      const random = new Random(seed, input);
      const subject = pickSubject(subjects, random);
      const bytes = mutated(subject.bytes, subject.ranges, random);
      if (random.below(4) > 0) subject.repair(bytes);
      const judge = async (candidate: Uint8Array, isJudged: boolean): Promise<string | undefined> => {
        const { complaints, fault } = await runner.read(subject.kind, candidate);
        if (fault !== undefined) return faultKey(fault);
        if (complaints!.length > 0 || !isJudged) return undefined;
        const complaint = refereeComplaint(subject.kind, candidate, join(scratch, "input.img"));
        return complaint === undefined
          ? undefined
          : `only the referee complains: ${complaint.replace(/\d+/g, "N")}`;
      };
      const isJudged = every > 0 && silent++ % every === 0;
      const finding = await judge(bytes, isJudged);
      if (finding === undefined || known.has(finding)) continue;
      known.add(finding);
      log(`finding in an input made from ${subject.name}: ${finding}`);
      const names = only.map((name) => ` --only "${name}"`).join("");
      log(`  replay: npm run fuzz -- --seed ${seed} --from ${input} --iterations 1${names}`);
      if (corpus === undefined) continue;
      const small = await minimised(subject.bytes, bytes, subject.repair, async (candidate) => {
        return (await judge(candidate, true)) === finding;
      });
      log(`  written to ${save(corpus, subject.kind, small, finding)}`);
    }
  } finally {
    await runner.close();
    rmSync(scratch, { recursive: true, force: true });
  }
  log(`${done} inputs from ${subjects.length} seeds, ${known.size} findings (--seed ${seed})`);
  return known.size;
}

/** Large seeds are picked less often: they take long, and differ in their first and last parts only. */
function pickSubject(subjects: readonly Subject[], random: Random): Subject {
  const subject = random.pick(subjects);
  return subject.bytes.length > LARGE && random.below(8) > 0 ? random.pick(subjects) : subject;
}

const LARGE = 16 * 2 ** 20;

async function subjectOf(seed: Seed): Promise<Subject> {
  if (seed.kind === "ext4") {
    const places = await ext4Places(seed.bytes);
    return { ...seed, ranges: ext4Ranges(places), repair: (bytes) => repairExt4(bytes, places) };
  }
  const ranges =
    seed.kind === "disk" ? [...gptRanges(seed.bytes), ...containerRanges(seed.bytes)] : fatRanges(seed);
  const repair = (bytes: Uint8Array): void => {
    if (seed.kind !== "disk") return;
    repairGpt(bytes);
    repairContainers(bytes);
  };
  return { ...seed, ranges, repair };
}

/** The boot sector, the tables and the first directories of a FAT; all of a text or an archive. */
function fatRanges({ kind, bytes }: Seed): Range[] {
  if (kind !== "fat") return [];
  return [
    { start: 0, length: 96 },
    { start: 512, length: 512 },
    ...Array.from({ length: Math.min(64, Math.floor(bytes.length / 512)) }, (_, sector) => ({
      start: 512 * (sector + 1),
      length: 256,
    })),
    ...usedSectors(bytes),
  ];
}

function usedSectors(bytes: Uint8Array): Range[] {
  const used: Range[] = [];
  for (let start = 0; start + 512 <= bytes.length && used.length < 256; start += 512) {
    if (bytes.subarray(start, start + 64).some((byte) => byte !== 0)) used.push({ start, length: 64 });
  }
  return used;
}

/** Writes a finding, in few bytes, and beside it what was found. */
function save(corpus: string, kind: Kind, bytes: Uint8Array, finding: string): string {
  mkdirSync(corpus, { recursive: true });
  const isComplaint = finding.startsWith("only the referee");
  const path = join(corpus, `${kind}-${isComplaint ? "unsound" : "fault"}-${digest(bytes)}.z`);
  writeFileSync(path, packed(bytes));
  return path;
}
