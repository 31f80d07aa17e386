import type { ReadableFormat } from "../formats/index.ts";
import { inspect } from "../inspect/index.ts";
import { aboutImage, openImage } from "../node/index.ts";
import { print, printJson } from "./output.ts";
import { type TalkOptions, talk } from "./talk.ts";
import { imageText } from "./text.ts";

/** What the options of `inspect` hold. */
export interface InspectOptions extends Pick<TalkOptions, "progress"> {
  readonly json?: boolean;
  readonly from?: ReadableFormat;
  readonly backing?: boolean;
  readonly sectorSize?: string;
  /** False with `--no-check`. */
  readonly check?: boolean;
  readonly spool?: string;
}

/** `diskwright inspect` */
export async function runInspect(path: string, options: InspectOptions, signal: AbortSignal): Promise<void> {
  const voice = talk(options);
  const { disk, close } = await openImage(path, {
    format: options.from,
    isBackingAllowed: options.backing,
    spoolDirectory: options.spool,
    signal,
    onProgress: voice.unpacking,
  });
  voice.end();
  try {
    const sectorSize =
      options.sectorSize === undefined ? undefined : (Number(options.sectorSize) as 512 | 4096);
    const report = await aboutImage(path, () => inspect(disk, { sectorSize, check: options.check, signal }));
    if (options.json) await printJson(report);
    else await print(imageText(report));
  } finally {
    close();
  }
}
