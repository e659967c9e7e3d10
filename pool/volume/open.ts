/** The volume that the settings name, tidied up. */

import type { BucketCredentials, BucketPlace } from "../../shared/bucket.ts";
import { makeFolder } from "../../start/make-folder.ts";
import { openBucketVolume } from "./bucket.ts";
import { openDirectoryVolume } from "./directory.ts";
import type { Volume } from "./volume.ts";

type VolumeConfig = { dir: string } | { place: BucketPlace; credentials: BucketCredentials };
type Warn = { warn(message: string, fields: Record<string, unknown>): void };

/** @param isShared other nodes may be at work in the directory; in a bucket they always may. @throws VALIDATION_FAILED the directory cannot be one */
export async function openVolume(config: VolumeConfig, { isShared, log }: { isShared: boolean; log: Warn }): Promise<Volume> {
  if ("dir" in config) {
    makeFolder(config.dir, "VOLUME_URL");
    const volume = await openDirectoryVolume(config.dir);
    await volume.sweep(isShared ? {} : { olderThanMs: -1 });
    return volume;
  }
  const volume = await openBucketVolume(config.place, config.credentials);
  void volume.sweep().catch((error: unknown) => log.warn("The bucket could not be swept; the next start tries again", { error }));
  return volume;
}
