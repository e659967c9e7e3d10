import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Blobs } from "../../pool/recording/blobs.ts";
import { sayOnce } from "../../pool/recording/warn.ts";
import { openTempFolder } from "./support.ts";

const open = (dir: string, limits: { blobs: number; blobBytes: number }) => {
  const remarks: string[] = [];
  const warnings: string[] = [];
  const blobs = new Blobs({ dir, limits, warn: (what) => warnings.push(what), onLimit: sayOnce((text) => remarks.push(text)) });
  return { blobs, remarks, warnings };
};

it("keeps one content once, also when it comes twice at the same moment, and names it only when it is whole", async () => {
  await using temp = await openTempFolder();
  const { blobs } = open(temp.dir, { blobs: 10, blobBytes: 1_000 });
  const names = await Promise.all([1, 2, 3].map(() => blobs.addContent(Buffer.from("same"), "txt")));
  expect(new Set(names).size).toBe(1);
  expect(await readFile(join(temp.dir, names[0] as string), "utf8")).toBe("same");
  expect([...blobs.sizes.values()]).toEqual([4]);
});

it("says once that it is full, by number or by bytes, and goes on giving what it has", async () => {
  await using temp = await openTempFolder();
  const { blobs, remarks, warnings } = open(temp.dir, { blobs: 2, blobBytes: 10 });
  const first = await blobs.addContent(Buffer.from("12345"), "txt");
  expect(await blobs.addContent(Buffer.from("123456"), "txt")).toBe(null);
  expect(await blobs.addContent(Buffer.from("54321"), "txt")).not.toBe(null);
  expect(await blobs.addContent(Buffer.from(""), "txt")).toBe(null);
  expect(await blobs.addContent(Buffer.from("12345"), "txt")).toBe(first);
  expect(remarks).toEqual([expect.stringContaining("Recording limit reached")]);
  expect(warnings).toEqual([]);
  expect(await readdir(temp.dir)).toHaveLength(2);
});

it("warns, and gives no name, when the disk refuses", async () => {
  const { blobs, warnings } = open("/nowhere/at/all", { blobs: 2, blobBytes: 10 });
  expect(await blobs.addContent(Buffer.from("a"), "txt")).toBe(null);
  expect(warnings).toHaveLength(1);
});
