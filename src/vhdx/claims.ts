import { UnitSet } from "../container/index.ts";
import { damaged } from "./refuse.ts";
import { ALIGNMENT } from "./structures.ts";

/** Which parts of the file are taken, so that no two things lie at the same place. */
export class Claims {
  readonly #fileSize: number;
  readonly #taken = new UnitSet();

  /** `fileSize` in bytes. The header section is taken from the start. */
  constructor(fileSize: number) {
    this.#fileSize = fileSize;
    this.#taken.add(0);
  }

  /**
   * Takes `length` bytes from `position`, a multiple of 1 MiB; `what` names them in messages.
   *
   * @throws DiskwrightError `CORRUPT` when they are not in the file, or taken.
   */
  take(position: number, length: number, what: string): void {
    if (position + length > this.#fileSize) {
      damaged(
        `${what} should lie at bytes ${position} to ${position + length}, the file ends at ${this.#fileSize}: it was cut off`,
      );
    }
    const end = (position + length) / ALIGNMENT;
    for (let unit = position / ALIGNMENT; unit < end; unit++) {
      if (this.#taken.has(unit)) {
        damaged(`${what} lies at byte ${unit * ALIGNMENT}, where something else lies`);
      }
      this.#taken.add(unit);
    }
  }
}
