/**
 * A zip as a pulled stream: one entry after the other from disk, in constant memory. Source: PKWARE's APPNOTE 6.3.10.
 * Own code rather than a library, because a reader must pull it (no byte is read before it is asked for), can leave at any
 * chunk with every file closed by then, and sees a read error as an error; libraries push through pipes that do neither.
 */
import { crc32, createDeflateRaw } from "node:zlib";
import { fileChunks, openPlain } from "./file-chunks.ts";

const MAX_ENTRIES = 0xffff;
const MAX_BYTES = 0xffff_ffff;
const VERSION = 20;
const UTF8_NAMES = 0x0800;
const SIZES_FOLLOW = 0x0008;

export type ZipEntry = {
  name: string;
  /** The file it is read from. */
  path: string;
  /** How much of the file, from its start; the file may be growing. */
  bytes: number;
  /** Text is deflated. What is compressed already is stored as it is. */
  method: "store" | "deflate";
  /** Comes after the bytes of the file. Only for "deflate". */
  tail?: Uint8Array;
};

type Written = { name: Buffer; flags: number; method: number; crc: number; packed: number; size: number; offset: number };

/**
 * Sizes are fixed by the caller: a file that grows meanwhile changes nothing, one that is shorter or gone ends the stream with an error.
 * No zip64: at most 65,535 entries and 4 GiB, or it throws.
 */
export async function* zipStream(entries: readonly ZipEntry[]): AsyncGenerator<Uint8Array, void, undefined> {
  if (entries.length > MAX_ENTRIES) throw new RangeError(`A zip holds at most ${MAX_ENTRIES} entries, not ${entries.length}`);
  const written: Written[] = [];
  let offset = 0;
  const passed = <B extends Uint8Array>(bytes: B): B => {
    offset += bytes.byteLength;
    if (offset > MAX_BYTES) throw new RangeError("A zip holds at most 4 GiB");
    return bytes;
  };
  const dated = dosTime(new Date());
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const about: Written = { name, flags: UTF8_NAMES, method: 0, crc: 0, packed: 0, size: 0, offset };
    await using file = await openPlain(entry.path);
    if (entry.method === "store") {
      for await (const chunk of fileChunks(file, entry.bytes)) about.crc = crc32(chunk, about.crc); // first, since readers of streams need it ahead of stored bytes
      about.packed = about.size = entry.bytes;
      yield passed(localHeader(about, dated));
      for await (const chunk of fileChunks(file, entry.bytes)) yield passed(chunk);
    } else {
      about.flags |= SIZES_FOLLOW;
      about.method = 8;
      yield passed(localHeader(about, dated));
      for await (const chunk of deflated(counted(fileChunks(file, entry.bytes), entry.tail, about))) {
        about.packed += chunk.byteLength;
        yield passed(chunk);
      }
      yield passed(descriptor(about));
    }
    written.push(about);
  }
  const directoryStart = offset;
  for (const about of written) yield passed(directoryRecord(about, dated));
  yield passed(endRecord(written.length, directoryStart, offset - directoryStart));
}

/** Chunks and tail as they are, their sum noted. */
async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  tail: Uint8Array | undefined,
  about: Written,
): AsyncGenerator<Uint8Array, void, undefined> {
  const count = (chunk: Uint8Array) => {
    about.crc = crc32(chunk, about.crc);
    about.size += chunk.byteLength;
    return chunk;
  };
  for await (const chunk of chunks) yield count(chunk);
  if (tail && tail.byteLength > 0) yield count(tail);
}

/** One chunk goes in when the one before has come out: nothing piles up behind a slow reader. */
async function* deflated(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const deflate = createDeflateRaw();
  const out: Uint8Array[] = [];
  deflate.on("data", (chunk: Uint8Array) => out.push(chunk));
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {}); // raced below; nobody waits for it once all went well
  deflate.once("error", failed.reject);
  try {
    for await (const chunk of chunks) {
      await Promise.race([failed.promise, new Promise<void>((taken) => deflate.write(chunk, () => taken()))]);
      yield* out.splice(0);
    }
    await Promise.race([failed.promise, new Promise<void>((ended) => deflate.once("end", ended).end())]);
    yield* out.splice(0);
  } finally {
    deflate.destroy();
  }
}

type DosTime = { time: number; date: number };

const dosTime = (at: Date): DosTime => ({
  time: (at.getHours() << 11) | (at.getMinutes() << 5) | (at.getSeconds() >> 1),
  date: ((at.getFullYear() - 1980) << 9) | ((at.getMonth() + 1) << 5) | at.getDate(),
});

/** In a header whose sizes follow, they are zero. */
function localHeader({ name, flags, method, crc, packed, size }: Written, { time, date }: DosTime): Buffer {
  const header = Buffer.alloc(30 + name.length);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(VERSION, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt16LE(method, 8);
  header.writeUInt16LE(time, 10);
  header.writeUInt16LE(date, 12);
  header.writeUInt32LE(crc, 14);
  header.writeUInt32LE(packed, 18);
  header.writeUInt32LE(size, 22);
  header.writeUInt16LE(name.length, 26);
  name.copy(header, 30);
  return header;
}

function descriptor({ crc, packed, size }: Written): Buffer {
  const record = Buffer.alloc(16);
  record.writeUInt32LE(0x08074b50, 0);
  record.writeUInt32LE(crc, 4);
  record.writeUInt32LE(packed, 8);
  record.writeUInt32LE(size, 12);
  return record;
}

function directoryRecord({ name, flags, method, crc, packed, size, offset }: Written, { time, date }: DosTime): Buffer {
  const record = Buffer.alloc(46 + name.length);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(VERSION, 4);
  record.writeUInt16LE(VERSION, 6);
  record.writeUInt16LE(flags, 8);
  record.writeUInt16LE(method, 10);
  record.writeUInt16LE(time, 12);
  record.writeUInt16LE(date, 14);
  record.writeUInt32LE(crc, 16);
  record.writeUInt32LE(packed, 20);
  record.writeUInt32LE(size, 24);
  record.writeUInt16LE(name.length, 28);
  record.writeUInt32LE(offset, 42);
  name.copy(record, 46);
  return record;
}

const END_SIGNATURE = 0x06054b50;
/** A zip of ours ends with so many bytes, see `isZipEnd`. */
export const ZIP_END_BYTES = 22;
export const isZipEnd = (bytes: Buffer): boolean => bytes.length === ZIP_END_BYTES && bytes.readUInt32LE(0) === END_SIGNATURE;

function endRecord(entries: number, start: number, bytes: number): Buffer {
  const record = Buffer.alloc(ZIP_END_BYTES);
  record.writeUInt32LE(END_SIGNATURE, 0);
  record.writeUInt16LE(entries, 8);
  record.writeUInt16LE(entries, 10);
  record.writeUInt32LE(bytes, 12);
  record.writeUInt32LE(start, 16);
  return record;
}
