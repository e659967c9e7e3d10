/** A zip's entries by name, read by a library that is not ours. */
import yauzl from "yauzl";

export function readZip(bytes: Uint8Array): Promise<Map<string, Buffer>> {
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
