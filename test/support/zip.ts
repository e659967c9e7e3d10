/** A zip's entries by name, read by a library that is not ours. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import yauzl from "yauzl";

/** A process of many random traces puts this many before the judge. */
const KEPT = 60;
let kept = 0;

/** Every trace that a test reads is kept for `trace-judge.ts`. */
export async function readZip(bytes: Uint8Array): Promise<Map<string, Buffer>> {
  const entries = await entriesOf(bytes);
  const { TEST_TRACES } = process.env;
  if (TEST_TRACES && entries.has("trace.trace") && kept < KEPT) {
    kept += 1;
    writeFileSync(join(TEST_TRACES, `${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}.zip`), bytes);
  }
  return entries;
}

function entriesOf(bytes: Uint8Array): Promise<Map<string, Buffer>> {
  return new Promise((resolve, reject) => {
    const entries = new Map<string, Buffer>();
    yauzl.fromBuffer(Buffer.from(bytes), { lazyEntries: true }, (error, zip) => {
      if (error) return reject(error);
      zip.on("error", reject);
      zip.on("end", () => resolve(entries));
      zip.on("entry", (entry: yauzl.Entry) => {
        zip.openReadStream(entry, async (failed, stream) => {
          if (failed) return reject(failed);
          try {
            entries.set(entry.fileName, Buffer.concat(await stream.toArray()));
            zip.readEntry();
          } catch (broken) {
            reject(broken);
          }
        });
      });
      zip.readEntry();
    });
  });
}
