import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { folderAt, MAX_TMPDIR_BYTES, makeFolder, removeFolder } from "../../pool/browsers/browser-folder.ts";
import { folderCandidates, openFolderRoot } from "../../pool/browsers/folder-root.ts";
import { membersOf, openFiles, openPool, soon, tempDir, VIEWPORT } from "./support.ts";

let dir: string;
beforeEach(() => {
  dir = tempDir();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe("the root of Chrome's folders", () => {
  it("is in DATA_DIR where that is short, and elsewhere where it is not", () => {
    expect(openFolderRoot(folderCandidates(dir, "node"), null)).toBe(join(dir, "browsers"));
    const long = join(dir, "a-folder-with-quite-a-long-name", "and-another");
    const root = openFolderRoot(folderCandidates(long, "node"), null);
    expect(root).not.toContain(long);
    rmSync(root, { recursive: true });
  });

  it("leaves TMPDIR short enough for Chrome's sockets, whatever DATA_DIR is", () => {
    const name = fc.stringMatching(/^[a-zä-ü0-9]{1,60}$/);
    fc.assert(
      fc.property(fc.array(name, { maxLength: 3 }), (names) => {
        const root = openFolderRoot(folderCandidates(join(dir, ...names), "node"), null);
        expect(Buffer.byteLength(folderAt(join(root, "ffffff-99999999")).tmp)).toBeLessThanOrEqual(MAX_TMPDIR_BYTES);
        if (!root.startsWith(dir)) rmSync(root, { recursive: true });
      }),
      { numRuns: 40 },
    );
  });

  it("differs for nodes whose DATA_DIRs are long", () => {
    const [one, other] = [folderCandidates(join(dir, "a"), "node-1"), folderCandidates(join(dir, "b"), "node-2")];
    expect(one.filter((path) => other.includes(path))).toEqual([]);
  });

  it("is not in a place that Chrome's own user cannot enter", () => {
    const closed = join(dir, "closed");
    mkdirSync(closed, { mode: 0o700 });
    const root = openFolderRoot(folderCandidates(closed, "node"), 65534);
    expect(root).not.toContain(closed);
    expect(statSync(root).mode & 0o777).toBe(0o711);
    rmSync(root, { recursive: true });
  });

  it("is not a file that lies in its place", () => {
    const taken = join(dir, "taken");
    mkdirSync(taken);
    writeFileSync(join(taken, "browsers"), "");
    expect(() => openFolderRoot(folderCandidates(taken, "node"), null)).toThrow(expect.objectContaining({ code: "SETUP_FAILED" }));
  });

  it("is not a link that somebody put there", () => {
    mkdirSync(join(dir, "elsewhere"));
    symlinkSync(join(dir, "elsewhere"), join(dir, "browsers"));
    expect(() => openFolderRoot(folderCandidates(dir, "node"), null)).toThrow(expect.objectContaining({ code: "SETUP_FAILED" }));
  });

  it("is made again when somebody tidied it away, and goes when the node stops", async () => {
    await using pool = await openPool({ dataDir: dir });
    rmSync(join(dir, "browsers"), { recursive: true, force: true });
    await using _lease = await pool.lease("run", { signal: soon(), viewport: VIEWPORT });
    await pool[Symbol.asyncDispose]();
    expect(readdirSync(dir)).toEqual([]);
  });

  it("is nowhere when every place is too long", () => {
    expect(() => openFolderRoot([join(dir, "x".repeat(80))], null)).toThrow(/TMPDIR/);
  });
});

describe("a Chrome's folder", () => {
  it("is closed to others, and goes with what is in it", async () => {
    const folder = makeFolder(join(dir, "0a1b2c-1"), null);
    expect(lstatSync(folder.profile).mode & 0o777).toBe(0o700);
    mkdirSync(join(folder.profile, "Default", "deep"), { recursive: true });
    chmodSync(join(folder.profile, "Default"), 0o500);
    await removeFolder(folder.path);
    await removeFolder(folder.path);
    expect(readdirSync(dir)).toEqual([]);
  });

  it("holds all that Chrome writes: nothing new in the system's temporary directory", async () => {
    const long = join(dir, "a-data-directory-with-a-name-too-long-for-sockets", "data");
    await using pool = await openPool({ dataDir: long });
    await using lease = await pool.lease("run", { signal: soon(), viewport: VIEWPORT });
    await lease.page.goto("data:text/html,<input>");
    const folder = join(lease.downloadsDir ?? "", "..");
    expect(readdirSync(folder).sort()).toEqual(["d", "h", "node.json", "p", "t"]);
    const temporary = membersOf(pool.list()[0]?.pid ?? 0)
      .flatMap(openFiles)
      .filter((path) => path.includes("org.chromium"));
    expect(temporary.length).toBeGreaterThan(0); // such as shared memory
    expect(temporary.filter((path) => !path.startsWith(join(folder, "t")))).toEqual([]);
  });
});
