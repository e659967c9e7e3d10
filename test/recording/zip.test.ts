import { appendFile, open, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import yauzl from "yauzl";
import { type ZipEntry, zipStream } from "../../pool/recording/zip.ts";
import { readZip } from "../support/zip.ts";
import { collect, openFilesBelow, openTempFolder } from "./support.ts";

async function entry(dir: string, name: string, content: Uint8Array, method: ZipEntry["method"], tail?: Uint8Array): Promise<ZipEntry> {
  const path = join(dir, name);
  await writeFile(path, content);
  return { name, path, bytes: content.byteLength, method, tail };
}

/** Checksums in the zip's directory, which the reader does not compare by itself. */
function checksums(zip: Buffer): Promise<Map<string, number>> {
  return new Promise((resolve, reject) => {
    const sums = new Map<string, number>();
    yauzl.fromBuffer(zip, (error, file) => {
      if (error) return reject(error);
      file.on("entry", (each: yauzl.Entry) => sums.set(each.fileName, each.crc32));
      file.on("end", () => resolve(sums));
      file.on("error", reject);
    });
  });
}

describe("a zip stream", () => {
  it("is read back as it was, whatever the entries hold", async () => {
    await using temp = await openTempFolder();
    const contents = fc.array(
      fc.record({
        bytes: fc.oneof(
          fc.uint8Array({ maxLength: 400 }),
          fc.integer({ min: 0, max: 700_000 }).map((size) => Buffer.alloc(size, "line\n")),
        ),
        tail: fc.option(fc.uint8Array({ maxLength: 50 }), { nil: undefined }),
        stored: fc.boolean(),
      }),
      { maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(contents, async (files) => {
        const entries = await Promise.all(
          files.map(({ bytes, tail, stored }, n) =>
            entry(temp.dir, `résumé-${n}.txt`, bytes, stored ? "store" : "deflate", stored ? undefined : tail),
          ),
        );
        const zip = await collect(zipStream(entries));
        const read = await readZip(zip);
        const sums = await checksums(zip);
        expect([...read.keys()]).toEqual(entries.map(({ name }) => name));
        for (const [n, { bytes, tail, stored }] of files.entries()) {
          const whole = Buffer.concat([bytes, (!stored && tail) || Buffer.alloc(0)]);
          expect(read.get(`résumé-${n}.txt`)?.equals(whole)).toBe(true);
          expect(sums.get(`résumé-${n}.txt`)).toBe(crc32(whole));
        }
      }),
      { numRuns: 40 },
    );
  });

  it("holds what was there at the asking, however the file grows meanwhile", async () => {
    await using temp = await openTempFolder();
    const log = await entry(temp.dir, "log", Buffer.from("first\n"), "deflate");
    const stream = zipStream([log]);
    const { value: head } = await stream.next();
    await appendFile(log.path, "second\n");
    const rest = await collect(stream);
    const read = await readZip(Buffer.concat([head as Uint8Array, rest]));
    expect(read.get("log")?.toString()).toBe("first\n");
  });

  it.each(["store", "deflate"] as const)("fails when a file is shorter than it was (%s)", async (method) => {
    await using temp = await openTempFolder();
    const file = await entry(temp.dir, "file", Buffer.alloc(1_000), method);
    await truncate(file.path, 10);
    await expect(collect(zipStream([file]))).rejects.toThrow("ended at byte 10 of 1000");
    expect(await openFilesBelow(temp.dir)).toEqual([]);
  });

  it("follows no symbolic link", async () => {
    await using temp = await openTempFolder();
    await symlink("/etc/hostname", join(temp.dir, "link"));
    await expect(collect(zipStream([{ name: "link", path: join(temp.dir, "link"), bytes: 5, method: "store" }]))).rejects.toThrow("ELOOP");
  });

  it.each(["store", "deflate"] as const)("has every file closed once its reader has left, wherever that was (%s)", async (method) => {
    await using temp = await openTempFolder();
    const bytes = Buffer.from(Array.from({ length: 900_000 }, (_, n) => (n * 7919) % 251));
    const entries = [await entry(temp.dir, "a", bytes, method), await entry(temp.dir, "b", bytes, method)];
    for (let pulls = 0; pulls < 14; pulls++) {
      const stream = zipStream(entries);
      for (let pull = 0; pull < pulls; pull++) await stream.next();
      await stream.return();
      expect(await openFilesBelow(temp.dir)).toEqual([]);
    }
  });

  it("reads nothing ahead of its reader", async () => {
    await using temp = await openTempFolder();
    const path = join(temp.dir, "sparse");
    {
      await using file = await open(path, "w");
      await file.truncate(3_000_000_000);
    }
    const stream = zipStream([{ name: "sparse", path, bytes: 3_000_000_000, method: "deflate" }]);
    const before = process.memoryUsage().rss;
    for (let pull = 0; pull < 3; pull++) await stream.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(process.memoryUsage().rss - before).toBeLessThan(500_000_000); // of 3 GB
    await stream.return();
  });
});
