/**
 * The profile of a Chrome in a file system in memory, which is its own and ends with it: what pages store is on no disk, fills none, and has not
 * to be deleted. Chrome makes some fifty files as it starts, and on ext4 each costs the more, the more were deleted in the last minute.
 */
import { readdirSync } from "node:fs";
import type { Log } from "../telemetry/log.ts";

/** What it has in it when nothing was stored yet is 2 MB, and Chrome wants room for a first page. */
export const MIN_PROFILE_MB = 16;

/**
 * Shell, for the root of a user and a mount namespace: puts `$mb` MB of memory in the place of the folder `$profile`. A machine that does not
 * let us keeps it on disk. Nothing in it can be executed.
 */
export const MOUNT_PROFILE = `[ "$mb" = 0 ] || mount -n -t tmpfs -o "size=\${mb}m,mode=0700,nosuid,nodev,noexec" profile "$profile" 2>/dev/null || :`;

/** Where the profiles of a node's Chromes are. */
export class Profiles {
  /** The most that one may take; 0: they are on disk. */
  readonly mb: number;
  readonly #log: Log;
  #isTold = false;

  constructor(mb: number, log: Log) {
    this.mb = mb;
    this.#log = log;
  }

  /** A Chrome runs whose profile should be in memory. From outside such a folder is empty. */
  wasStarted(folder: { profile: string }): void {
    if (this.mb === 0 || this.#isTold || readdirSync(folder.profile).length === 0) return;
    this.#isTold = true;
    this.#log.warn("this machine lets no profile be in memory: those of its Chromes are on disk");
  }
}
