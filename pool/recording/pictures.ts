/** Pictures of the page, by content: a page that did not change costs one file, however often it is looked at. */
import { createHash } from "node:crypto";
import { constants, copyFile, link, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SCREENSHOTS_FOLDER } from "../../shared/recording.ts";

export type PictureLimits = { pictures: number; pictureBytes: number };
export type Kept = { file: string; blob: string | null };

/** Keeps `screenshots/<name>` and, for the trace, the same file once more below the name of its content. */
export class Pictures {
  readonly #dir: string;
  readonly #blobsDir: string | null;
  readonly #limits: PictureLimits;
  readonly #blobs = new Map<string, number>();
  readonly #files = new Map<string, number>();
  #bytes = 0;

  constructor(dir: string, blobsDir: string | null, limits: PictureLimits) {
    this.#dir = join(dir, SCREENSHOTS_FOLDER);
    this.#blobsDir = blobsDir;
    this.#limits = limits;
  }

  async open(): Promise<void> {
    await mkdir(this.#dir, { mode: 0o700 });
  }

  /** Blob names and sizes, each whole on disk. */
  get blobs(): ReadonlyMap<string, number> {
    return this.#blobs;
  }

  /** File names below the screenshots' folder, and sizes. */
  get files(): ReadonlyMap<string, number> {
    return this.#files;
  }

  get full(): boolean {
    return this.#files.size >= this.#limits.pictures || this.#bytes >= this.#limits.pictureBytes;
  }

  /** Resolves when it can be read by both names. */
  async keep(name: string, picture: Uint8Array): Promise<Kept> {
    const blob = `${createHash("sha1").update(picture).digest("hex")}.jpeg`;
    const path = join(this.#dir, name);
    const known = this.#blobsDir !== null && this.#blobs.has(blob);
    if (known && this.#blobsDir !== null) {
      await twin(join(this.#blobsDir, blob), path);
    } else {
      await writeFile(`${path}.part`, picture, { flag: "wx", mode: 0o600 });
      await rename(`${path}.part`, path); // a killed process leaves no half picture under this name
      if (this.#blobsDir !== null) await twin(path, join(this.#blobsDir, blob));
      this.#bytes += picture.byteLength;
    }
    this.#files.set(name, picture.byteLength);
    if (this.#blobsDir === null) return { file: name, blob: null };
    this.#blobs.set(blob, picture.byteLength);
    return { file: name, blob };
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
