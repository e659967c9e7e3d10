/**
 * The profile of a Chrome in a file system in memory, which is its own and ends with it: what pages store is on no disk, fills none, and has not
 * to be deleted. Chrome makes some fifty files as it starts, and on ext4 each costs the more, the more were deleted in the last minute.
 */
import { readdirSync } from "node:fs";
import type { Log } from "../telemetry/log.ts";

/** MiB. What is in it when nothing was stored yet takes 2, and Chrome wants room for a first page. */
export const MIN_PROFILE_MIB = 16;
/** MiB. Chrome tells pages that they may store as much at least. */
const MAX_DEFAULT_MIB = 1024;

/** What a profile may take where nobody said: all of a node's together a quarter of its memory (bytes). */
export function defaultProfileMib(memoryBytes: number, chromes: number): number {
  const share = Math.floor(memoryBytes / 4 / chromes / 1024 ** 2);
  return Math.max(MIN_PROFILE_MIB, Math.min(MAX_DEFAULT_MIB, share));
}

/**
 * Options of unshare(1): a mount namespace whose mounts are left as they are. It belongs to a user namespace below ours, so that nothing that is
 * mounted in it shows outside, and what is unmounted outside goes from it too.
 */
export const OWN_MOUNTS = ["--mount", "--propagation", "unchanged"];

/**
 * Shell, for the root of a user and a mount namespace: puts `$mib` MiB of memory in the place of the folder `$profile`. A machine that does not
 * let us keeps it on disk. Nothing in it can be executed; a file takes kernel memory beside what is in it, so they are counted too.
 */
export const MOUNT_PROFILE = `[ "$mib" = 0 ] ||
  mount -n -t tmpfs -o "size=\${mib}m,nr_inodes=$((mib * 64)),mode=0700,nosuid,nodev,noexec" profile "$profile" 2>/dev/null || :`;

/** Where the profiles of a node's Chromes are. */
export class Profiles {
  /** The most MiB of memory that one may take; 0: they are on disk. */
  readonly mib: number;
  readonly #log: Log;
  #isTold = false;

  constructor(mib: number, log: Log) {
    this.mib = mib;
    this.#log = log;
  }

  /** A Chrome runs whose profile should be in memory. From outside such a folder is empty. */
  wasStarted(folder: { profile: string }): void {
    if (this.mib === 0 || this.#isTold || readdirSync(folder.profile).length === 0) return;
    this.#isTold = true;
    this.#log.warn("profiles are on disk: this machine has no `mount` (util-linux), or forbids it. POOL_PROFILE_MB=0 if that shall be so");
  }
}
