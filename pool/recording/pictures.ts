/** Pictures of pages, kept by content: a page that did not change costs one file, however often it is looked at. */
import { createHash } from "node:crypto";
import { constants, copyFile, link, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "puppeteer-core";
import { withDeadline } from "../../shared/deadline.ts";
import { SCREENSHOTS_FOLDER } from "../../shared/recording.ts";
import { isGone } from "./is-gone.ts";
import type { Warn } from "./warn.ts";

/** Takes a JPEG of the page's viewport, within the limit, whatever state the page is in. */
export type TakePicture = (page: Page, options: { signal: AbortSignal; quality: number; limitMs: number }) => Promise<Uint8Array>;
export type PictureLimits = { pictures: number; pictureBytes: number; pictureMs: number };
/** `name` below `screenshots/`; `blob`, for the trace, below its `resources/`. */
export type Picture = { name: string; blob: string | null };

/** JPEG quality, 0–100. */
const QUALITY = 70;
/** For a caller's function that does not keep to its limit. */
const GRACE_MS = 500;

type PicturesOptions = {
  /** The run's folder. */
  dir: string;
  /** Where a trace looks for them; null without a trace. */
  blobsDir: string | null;
  limits: PictureLimits;
  takePicture: TakePicture;
  warn: Warn;
  /** A remark in the trace. */
  remark: (text: string) => void;
};

export class Pictures {
  readonly #options: PicturesOptions;
  readonly #folder: string;
  readonly #blobs = new Map<string, number>();
  readonly #files = new Map<string, number>();
  #bytes = 0;
  #isFull = false;

  private constructor(options: PicturesOptions) {
    this.#options = options;
    this.#folder = join(options.dir, SCREENSHOTS_FOLDER);
  }

  static async open(options: PicturesOptions): Promise<Pictures> {
    const pictures = new Pictures(options);
    await mkdir(pictures.#folder, { recursive: true, mode: 0o700 });
    return pictures;
  }

  /** Names and sizes of the blobs, each whole on disk. */
  get blobs(): ReadonlyMap<string, number> {
    return this.#blobs;
  }

  /** Names and sizes of the files below the screenshots' folder, each whole on disk. */
  get files(): ReadonlyMap<string, number> {
    return this.#files;
  }

  /** Resolves once it can be read by both names; null when there is none. Never rejects. */
  async take(page: Page, name: string, signal: AbortSignal): Promise<Picture | null> {
    if (this.#full()) return null;
    const { limits, takePicture, warn, remark } = this.#options;
    const { pictureMs: limitMs } = limits;
    try {
      const jpeg = await withDeadline(limitMs + GRACE_MS, (signal) => takePicture(page, { signal, quality: QUALITY, limitMs }), { signal });
      return await this.#keep(name, jpeg);
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
    if (!this.#isFull) {
      this.#options.remark(`Recording limit reached: ${pictures} pictures or ${pictureBytes} bytes of them. Further ones are left out.`);
    }
    this.#isFull = true;
    return true;
  }

  async #keep(name: string, jpeg: Uint8Array): Promise<Picture> {
    const { blobsDir } = this.#options;
    const path = join(this.#folder, name);
    const blob = blobsDir === null ? null : `${createHash("sha1").update(jpeg).digest("hex")}.jpeg`;
    if (blobsDir !== null && blob !== null && this.#blobs.has(blob)) {
      await twin(join(blobsDir, blob), path);
    } else {
      await writeFile(`${path}.part`, jpeg, { mode: 0o600 });
      await rename(`${path}.part`, path); // a killed process leaves no half picture under this name
      if (blobsDir !== null && blob !== null) await twin(path, join(blobsDir, blob));
      this.#bytes += jpeg.byteLength;
    }
    this.#files.set(name, jpeg.byteLength);
    if (blob !== null) this.#blobs.set(blob, jpeg.byteLength);
    return { name, blob };
  }
}

/** A second name for the file, or a copy where the file system knows no links. */
async function twin(path: string, second: string): Promise<void> {
  try {
    await link(path, second);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return; // two pictures of one content, taken at once: the first one stands
    await copyFile(path, second, constants.COPYFILE_EXCL);
  }
}
