/** The bytes of a file, read as they are pulled. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

const CHUNK_BYTES = 256 * 1024;

/** For reading. A symbolic link is refused: what is recorded lies in the run's own folder. */
export const openPlain = (path: string): Promise<FileHandle> => open(path, constants.O_RDONLY | constants.O_NOFOLLOW);

/** Exactly `bytes` of the file, from its start. @throws when it has fewer */
export async function* fileChunks(file: FileHandle, bytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let position = 0; position < bytes; ) {
    const length = Math.min(CHUNK_BYTES, bytes - position);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(length), 0, length, position);
    if (bytesRead === 0) throw new Error(`The file ended at byte ${position} of ${bytes}`);
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Writes all of the chunk where the file stands. */
export async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.byteLength; ) at += (await file.write(chunk, at)).bytesWritten;
}
