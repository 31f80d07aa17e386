import { parseArgs } from "node:util";
import { campaign } from "./campaign.ts";

const HELP = `Changes sound images, archives and texts, and reads what they have become.

  --seed N         the inputs follow from it (default 1)
  --iterations N   how many inputs (default: no limit but the time)
  --time SECONDS   how long (default 60, or no limit where --iterations is given)
  --from N         the number of the first input (default 0)
  --only NAME      only seeds whose names begin so, such as ext4, fat/fat12, disk/qcow2; may be given again
  --every N        have the usual tools judge each Nth input that our readers find sound (default 4, 0 for none)
  --corpus DIR     where findings are written, as small as they get (default test/corpus/fuzz)
  --dry            write no findings
`;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    iterations: { type: "string" },
    time: { type: "string" },
    from: { type: "string", default: "0" },
    only: { type: "string", multiple: true, default: [] },
    every: { type: "string", default: "4" },
    corpus: { type: "string", default: "test/corpus/fuzz" },
    dry: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

function count(name: string, text: string): number {
  const number = Number(text);
  if (!(Number.isSafeInteger(number) && number >= 0)) throw new RangeError(`--${name} ${text}: not a number`);
  return number;
}

async function main(): Promise<void> {
  const { iterations, time } = values;
  const findings = await campaign({
    seed: count("seed", values.seed),
    from: count("from", values.from),
    iterations: iterations === undefined ? Number.POSITIVE_INFINITY : count("iterations", iterations),
    time:
      time === undefined
        ? iterations === undefined
          ? 60_000
          : Number.POSITIVE_INFINITY
        : 1000 * count("time", time),
    only: values.only,
    every: count("every", values.every),
    corpus: values.dry ? undefined : values.corpus,
    log: (line) => process.stdout.write(`${line}\n`),
  });
  process.exitCode = findings > 0 ? 1 : 0;
}

// Not awaited: modules that are loaded later import this one, and would wait for it.
if (values.help) process.stdout.write(HELP);
else void main();
