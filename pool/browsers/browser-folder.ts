/**
 * One folder per Chrome: its profile, TMPDIR, home and downloads, so that whatever it leaves goes with the folder.
 * A record in it names the Chrome's process group and the node that started it, for the sweep of the next boot.
 */
import { chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { identify, machineIdentity, type ProcessIdentity } from "./process-identity.ts";

/** Chrome puts a socket below TMPDIR, and a socket's path has 108 bytes: with a TMPDIR of 63 bytes it does not start. */
export const MAX_TMPDIR_BYTES = 62;

export type BrowserFolder = { path: string; profile: string; tmp: string; home: string; downloads: string };

const IdentitySchema: z.ZodType<ProcessIdentity> = z.object({ pid: z.int().min(2), startTicks: z.number(), name: z.string() });
const RecordSchema = z.object({ machine: z.string(), node: IdentitySchema, chrome: IdentitySchema.nullable() });
/** What the next boot must know. `chrome` is null in the moment between the folder and the process. */
export type FolderRecord = z.infer<typeof RecordSchema>;

const RECORD = "node.json";
const SUBFOLDERS = { profile: "p", tmp: "t", home: "h", downloads: "d" } as const; // short: see MAX_TMPDIR_BYTES

/** Where the parts of a Chrome's folder are; touches nothing. */
export function folderAt(path: string): BrowserFolder {
  return {
    path,
    profile: join(path, SUBFOLDERS.profile),
    tmp: join(path, SUBFOLDERS.tmp),
    home: join(path, SUBFOLDERS.home),
    downloads: join(path, SUBFOLDERS.downloads),
  };
}

/** Makes the folder, for Chrome's own user where it has one. In one tick with its record: no half-made folder is ever seen. */
export function makeFolder(path: string, uid: number | null): BrowserFolder {
  const folder = folderAt(path);
  mkdirSync(path, { mode: 0o711 });
  writeRecord(folder, null);
  for (const each of [folder.profile, folder.tmp, folder.home, folder.downloads]) {
    mkdirSync(each, { mode: 0o700 });
    if (uid !== null) chownSync(each, uid, uid);
  }
  return folder;
}

/** Synchronous, called in the tick in which Chrome was spawned: a node killed right after still leaves its name. */
export function writeRecord(folder: BrowserFolder, chrome: FolderRecord["chrome"]): void {
  const record: FolderRecord = { machine: machineIdentity(), node: identify(process.pid), chrome };
  writeFileSync(join(folder.path, RECORD), JSON.stringify(record), { mode: 0o600 });
}

/** null: none, or cut off by a crash. */
export function readRecord(path: string): FolderRecord | null {
  try {
    return RecordSchema.parse(JSON.parse(readFileSync(join(path, RECORD), "utf8")));
  } catch {
    return null;
  }
}

/** A killed Chrome's last writes may still land while we delete: hence the retries. */
export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** A folder of one run's own below a Chrome's, so that what it downloads goes with it. */
export function makeDownloads(path: string, uid: number | null): AsyncDisposable & { path: string } {
  mkdirSync(path, { mode: 0o700 });
  if (uid !== null) chownSync(path, uid, uid);
  return { path, [Symbol.asyncDispose]: () => removeFolder(path) };
}
