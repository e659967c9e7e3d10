/** One picture of the page after each action, as a file of its own. */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "puppeteer-core";
import { withDeadline } from "../../shared/deadline.ts";
import { SCREENSHOTS_FOLDER } from "../../shared/recording.ts";
import { isGone } from "./is-gone.ts";
import type { OnLimit, Warn } from "./warn.ts";

/** Takes a JPEG of the page's viewport, within the limit, whatever state the page is in. */
export type TakePicture = (page: Page, options: { signal: AbortSignal; quality: number; limitMs: number }) => Promise<Uint8Array>;
export type PictureLimits = { pictures: number; pictureBytes: number; pictureMs: number };

export type Picture = { name: string; jpeg: Uint8Array };

/** JPEG quality, 0–100. */
const QUALITY = 70;
/** For a caller's function that does not keep to its limit. */
const GRACE_MS = 500;

type PicturesOptions = {
  /** The run's folder. */
  dir: string;
  limits: PictureLimits;
  takePicture: TakePicture;
  warn: Warn;
  /** A remark in the trace. */
  remark: (text: string) => void;
  onLimit: OnLimit;
};

export class Pictures {
  readonly #options: PicturesOptions;
  readonly #folder: string;
  readonly #files = new Map<string, number>();
  #bytes = 0;

  private constructor(options: PicturesOptions) {
    this.#options = options;
    this.#folder = join(options.dir, SCREENSHOTS_FOLDER);
  }

  static async open(options: PicturesOptions): Promise<Pictures> {
    const pictures = new Pictures(options);
    await mkdir(pictures.#folder, { recursive: true, mode: 0o700 });
    return pictures;
  }

  /** Names and sizes of the files below the screenshots' folder, each whole on disk. */
  get files(): ReadonlyMap<string, number> {
    return this.#files;
  }

  /** Once it can be read below `screenshots/`; null when there is none. Never rejects. */
  async take(page: Page, name: string, signal: AbortSignal): Promise<Picture | null> {
    if (this.#full()) return null;
    const { limits, takePicture, warn, remark } = this.#options;
    const { pictureMs: limitMs } = limits;
    try {
      const jpeg = await withDeadline(limitMs + GRACE_MS, (signal) => takePicture(page, { signal, quality: QUALITY, limitMs }), { signal });
      await this.#keep(name, jpeg);
      return { name, jpeg };
    } catch (cause) {
      if (signal.aborted || isGone(page, cause)) return null; // the run ends, or the action closed its page
      warn("A picture could not be taken", cause);
      remark(`Picture ${name} could not be taken: ${cause instanceof Error ? cause.message : String(cause)}`);
      return null;
    }
  }

  #full(): boolean {
    const { pictures, pictureBytes } = this.#options.limits;
    if (this.#files.size < pictures && this.#bytes < pictureBytes) return false;
    this.#options.onLimit(`${pictures} pictures or ${pictureBytes} bytes of them`);
    return true;
  }

  async #keep(name: string, jpeg: Uint8Array): Promise<void> {
    const path = join(this.#folder, name);
    await writeFile(`${path}.part`, jpeg, { mode: 0o600 });
    await rename(`${path}.part`, path); // a killed process leaves no half picture under this name
    this.#bytes += jpeg.byteLength;
    this.#files.set(name, jpeg.byteLength);
  }
}
