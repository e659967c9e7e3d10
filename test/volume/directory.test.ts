import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openDirectoryVolume } from "../../pool/volume/directory.ts";
import type { StagedFile, Volume } from "../../pool/volume/volume.ts";
import { isArtifactPath } from "../../shared/recording.ts";
import { ANY_CHARACTER } from "../support/arbitraries.ts";

type Setup = { volume: Volume; root: string; staged: string; runId: string } & AsyncDisposable;

async function setUp(stagedParent = tmpdir()): Promise<Setup> {
  const [root, staged] = [await mkdtemp(join(tmpdir(), "us-vol-")), await mkdtemp(join(stagedParent, "us-staged-"))];
  const dispose = async () => {
    for (const dir of [root, staged]) await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  };
  return { volume: await openDirectoryVolume(root), root, staged, runId: randomUUID(), [Symbol.asyncDispose]: dispose };
}

async function stage(dir: string, contents: Record<string, string | Uint8Array>): Promise<StagedFile[]> {
  for (const [name, content] of Object.entries(contents)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
  return Object.keys(contents).map((name) => ({ name, kind: "file" }));
}

async function contentOf(volume: Volume, runId: string, path: string, range?: { start: number; end: number }): Promise<string | null> {
  const opened = await volume.open(runId, path, range);
  if (!opened) return null;
  const chunks: Uint8Array[] = [];
  for await (const chunk of opened.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function openFilesBelow(dir: string): Promise<string[]> {
  const fds = await readdir("/proc/self/fd");
  const targets = await Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
  return targets.filter((target) => target.startsWith(dir));
}

/** A folder that is not on the file system of the tests' own. */
const elsewhere = ["/dev/shm", "/tmp", "/var/tmp"].find((path) => existsSync(path) && statSync(path).dev !== statSync(tmpdir()).dev);

describe("a commit", () => {
  it("makes every file readable, with its size and a tag of its content", async () => {
    await using at = await setUp();
    const files = await stage(at.staged, { "status.json": "{}", "actions/0001_playbook_goto.json": '{"seq":1}', "empty.txt": "" });
    const manifest = await at.volume.commit(at.runId, at.staged, files, "partial");
    expect(manifest).toEqual(await at.volume.manifest(at.runId));
    expect(manifest).toMatchObject({ run_id: at.runId, state: "partial" });
    expect(manifest.artifacts[1]).toEqual({
      name: "actions/0001_playbook_goto.json",
      kind: "file",
      bytes: 9,
      sha256: createHash("sha256").update('{"seq":1}').digest("hex"),
    });
    expect(await contentOf(at.volume, at.runId, "actions/0001_playbook_goto.json")).toBe('{"seq":1}');
    expect(await contentOf(at.volume, at.runId, "empty.txt")).toBe("");
    const about = await at.volume.stat(at.runId, "status.json");
    expect(about).toEqual({ size: 2, etag: `"${createHash("sha256").update("{}").digest("hex")}"` });
    expect(await readFile(join(at.staged, "status.json"), "utf8")).toBe("{}"); // what was staged is still there
    expect(await readdir(join(at.root, "staging"))).toEqual([]);
  });

  it("stands: one that comes after it changes nothing", async () => {
    await using at = await setUp();
    const first = await at.volume.commit(at.runId, at.staged, await stage(at.staged, { "a.txt": "first" }));
    await rm(join(at.staged, "a.txt"));
    const again = await at.volume.commit(at.runId, at.staged, await stage(at.staged, { "b.txt": "second" }), "partial");
    expect(again).toEqual(first);
    expect(await contentOf(at.volume, at.runId, "a.txt")).toBe("first");
    expect(await contentOf(at.volume, at.runId, "b.txt")).toBe(null);
  });

  it("is one of them when several come at once", async () => {
    await using at = await setUp();
    const files = await stage(at.staged, { "a.txt": "a", "b/c.txt": "c" });
    const manifests = await Promise.all(Array.from({ length: 6 }, () => at.volume.commit(at.runId, at.staged, files)));
    expect(new Set(manifests.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(await readdir(join(at.root, "staging"))).toEqual([]);
  });

  it("is not there at all when a file is missing, named twice or has a name that leaves the folder", async () => {
    await using at = await setUp();
    const files = await stage(at.staged, { "a.txt": "a" });
    await writeFile(join(dirname(at.staged), "us-outside.txt"), "outside");
    for (const name of ["missing.txt", "a.txt", "../us-outside.txt", "/etc/hostname", "manifest.json", "a.txt/b", ""]) {
      await expect(at.volume.commit(at.runId, at.staged, [...files, { name, kind: "file" }]), name).rejects.toThrow();
      expect(await at.volume.manifest(at.runId)).toBe(null);
      expect(await contentOf(at.volume, at.runId, "a.txt")).toBe(null);
    }
    expect(await readdir(join(at.root, "staging"))).toEqual([]);
    await rm(join(dirname(at.staged), "us-outside.txt"));
  });

  it("takes no symbolic link, nor what lies behind one", async () => {
    await using at = await setUp();
    await symlink("/etc/hostname", join(at.staged, "link.txt"));
    await symlink("/etc", join(at.staged, "folder"));
    for (const name of ["link.txt", "folder/hostname"]) {
      await expect(at.volume.commit(at.runId, at.staged, [{ name, kind: "file" }])).rejects.toThrow(`Artifact ${name} is not in`);
    }
  });

  it.runIf(elsewhere !== undefined)("works from another file system too", async () => {
    await using at = await setUp(elsewhere);
    const content = Buffer.alloc(700_000, "much ");
    const manifest = await at.volume.commit(at.runId, at.staged, await stage(at.staged, { "deep/er/a.bin": content }));
    expect(manifest.artifacts[0]?.sha256).toBe(createHash("sha256").update(content).digest("hex"));
    expect(await contentOf(at.volume, at.runId, "deep/er/a.bin")).toBe(content.toString());
  });

  it("is whole or not there when its process is killed at any time, and can be done again", async () => {
    await using at = await setUp();
    const contents = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`actions/${n}.json`, `${n}`.repeat(2_000)]));
    const files = await stage(at.staged, contents);
    const script = join(import.meta.dirname, "commit-process.ts");
    for (const delayMs of [0, 5, 12, 25]) {
      const runId = randomUUID();
      const child = spawn(process.execPath, [script, at.root, runId, at.staged, ...Object.keys(contents)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
      const killing = setTimeout(() => child.kill("SIGKILL"), delayMs); // spread over the commit; any moment must do
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      clearTimeout(killing);
      const found = await at.volume.manifest(runId);
      if (found) expect(found.artifacts).toHaveLength(60);
      const manifest = await at.volume.commit(runId, at.staged, files);
      for (const { name } of manifest.artifacts) expect(await contentOf(at.volume, runId, name), name).toBe(contents[name]);
    }
    await at.volume.sweep({ olderThanMs: -1 });
    expect(await readdir(join(at.root, "staging"))).toEqual([]);
  });
});

describe("reading", () => {
  it("gives the bytes of a range, both ends included, whatever its size", async () => {
    await using at = await setUp();
    const content = Array.from({ length: 900_000 }, (_, n) => String.fromCharCode(97 + ((n * 31) % 26))).join("");
    await at.volume.commit(at.runId, at.staged, await stage(at.staged, { "a.txt": content }));
    const position = fc.integer({ min: 0, max: content.length - 1 });
    await fc.assert(
      fc.asyncProperty(position, position, async (one, other) => {
        const [start, end] = [Math.min(one, other), Math.max(one, other)];
        expect(await contentOf(at.volume, at.runId, "a.txt", { start, end })).toBe(content.slice(start, end + 1));
      }),
      {
        numRuns: 30,
        examples: [
          [0, 0],
          [899_999, 899_999],
          [0, 899_999],
          [262_143, 262_144],
        ],
      },
    );
    for (const range of [
      { start: 0, end: 900_000 },
      { start: -1, end: 5 },
      { start: 5, end: 4 },
    ]) {
      await expect(at.volume.open(at.runId, "a.txt", range)).rejects.toMatchObject({ code: "RANGE_NOT_SATISFIABLE" });
    }
    expect(await openFilesBelow(at.root)).toEqual([]);
  });

  it("closes the file when its reader stops early, or never begins", async () => {
    await using at = await setUp();
    await at.volume.commit(at.runId, at.staged, await stage(at.staged, { "a.bin": Buffer.alloc(2_000_000) }));
    for (const pulls of [0, 1, 3]) {
      const body = (await at.volume.open(at.runId, "a.bin"))?.body[Symbol.asyncIterator]();
      for (let pull = 0; pull < pulls; pull++) await body?.next();
      expect(await openFilesBelow(at.root)).toHaveLength(1);
      await body?.return?.();
      await body?.return?.();
      expect(await openFilesBelow(at.root)).toEqual([]);
    }
  });

  it("goes on to its end when the run is removed meanwhile", async () => {
    await using at = await setUp();
    await at.volume.commit(at.runId, at.staged, await stage(at.staged, { "a.bin": Buffer.alloc(1_000_000, "a") }));
    const opened = await at.volume.open(at.runId, "a.bin");
    expect(await at.volume.remove(at.runId)).toBe(true);
    let bytes = 0;
    for await (const chunk of opened?.body ?? []) bytes += chunk.byteLength;
    expect(bytes).toBe(1_000_000);
  });

  it("never leaves the run's folder, nor gives what is not in its manifest", async () => {
    await using at = await setUp();
    await at.volume.commit(at.runId, at.staged, await stage(at.staged, { "a/b.txt": "inside" }));
    const folder = join(at.root, "runs", at.runId);
    await writeFile(join(folder, "stray.txt"), "not committed");
    await writeFile(join(at.root, "runs", "neighbour.txt"), "outside");
    const segment = fc.constantFrom(
      "..",
      ".",
      "",
      "a",
      "b.txt",
      "stray.txt",
      "neighbour.txt",
      "manifest.json",
      "%2e%2e",
      "..\\",
      "a\0",
      "~",
      "/etc/passwd",
      "-",
      "C:",
    );
    const path = fc.oneof(
      fc.array(segment, { maxLength: 6 }).map((parts) => parts.join("/")),
      fc.string({ unit: ANY_CHARACTER, maxLength: 400 }),
      fc.constantFrom(
        "/etc/hostname",
        `../${at.runId}/a/b.txt`,
        "a//b.txt",
        "./a/b.txt",
        "a/b.txt/",
        "a\\b.txt",
        "a",
        "stray.txt",
        "manifest.json",
      ),
    );
    await fc.assert(
      fc.asyncProperty(path, async (name) => {
        expect(await contentOf(at.volume, at.runId, name)).toBe(name === "a/b.txt" ? "inside" : null);
        if (name.includes("..")) expect(isArtifactPath(name)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it("follows no link that somebody put where a file was", async () => {
    await using at = await setUp();
    await at.volume.commit(at.runId, at.staged, await stage(at.staged, { "a.txt": "a", "b/c.txt": "c" }));
    const folder = join(at.root, "runs", at.runId);
    await rm(join(folder, "a.txt"));
    await symlink("/etc/hostname", join(folder, "a.txt"));
    await rename(join(folder, "b"), join(folder, "elsewhere"));
    await symlink(join(folder, "elsewhere"), join(folder, "b"));
    expect(await contentOf(at.volume, at.runId, "a.txt")).toBe(null);
    expect(await contentOf(at.volume, at.runId, "b/c.txt")).toBe(null);
    expect(await openFilesBelow(at.root)).toEqual([]);
  });

  it("finds nothing under an id that is none, and commits nothing", async () => {
    await using at = await setUp();
    const files = await stage(at.staged, { "a.txt": "a" });
    const ids = fc.oneof(
      fc.string({ maxLength: 50 }),
      fc.constantFrom("..", ".", "", "../staging", at.runId.toUpperCase(), `${at.runId}/`, `${at.runId}\0`),
    );
    await fc.assert(
      fc.asyncProperty(ids, async (id) => {
        expect([await at.volume.manifest(id), await at.volume.open(id, "a.txt"), await at.volume.remove(id)]).toEqual([null, null, false]);
        await expect(at.volume.commit(id, at.staged, files)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
      }),
      { numRuns: 50 },
    );
    expect(await readdir(join(at.root, "runs"))).toEqual([]);
  });
});

describe("removal and upkeep", () => {
  it("takes a run away as a whole, once", async () => {
    await using at = await setUp();
    await at.volume.commit(at.runId, at.staged, await stage(at.staged, { "a.txt": "a" }));
    expect(await at.volume.manifest(at.runId)).not.toBe(null);
    expect([await at.volume.remove(at.runId), await at.volume.remove(at.runId)]).toEqual([true, false]);
    expect([await at.volume.manifest(at.runId), await at.volume.stat(at.runId, "a.txt")]).toEqual([null, null]);
    expect([await readdir(join(at.root, "runs")), await readdir(join(at.root, "staging"))]).toEqual([[], []]);
  });

  it("sees a removal and a new commit that another node made", async () => {
    await using at = await setUp();
    const other = await openDirectoryVolume(at.root);
    await at.volume.commit(at.runId, at.staged, await stage(at.staged, { "a.txt": "first" }));
    expect(await at.volume.stat(at.runId, "a.txt")).toMatchObject({ size: 5 });
    await other.remove(at.runId);
    expect(await at.volume.stat(at.runId, "a.txt")).toBe(null);
    await other.commit(at.runId, at.staged, await stage(at.staged, { "b.txt": "other" }));
    expect(await at.volume.stat(at.runId, "b.txt")).toMatchObject({ size: 5 });
  });

  it("sweeps what broken commits left, and nothing that may be under way at another node", async () => {
    await using at = await setUp();
    const [old, young] = [join(at.root, "staging", `commit-${at.runId}-old`), join(at.root, "staging", `commit-${at.runId}-young`)];
    for (const dir of [old, young]) await stage(dir, { "a/b.txt": "half" });
    expect(await at.volume.sweep()).toBe(0);
    expect(await at.volume.sweep({ olderThanMs: -1 })).toBe(2);
    expect(await readdir(join(at.root, "staging"))).toEqual([]);
  });

  it("is readable for its owner only", async () => {
    await using at = await setUp();
    await at.volume.commit(at.runId, at.staged, await stage(at.staged, { "a/b.txt": "a" }));
    for (const name of ["runs", "staging", `runs/${at.runId}`, `runs/${at.runId}/a`, `runs/${at.runId}/manifest.json`]) {
      expect((await stat(join(at.root, name))).mode & 0o077, name).toBe(0);
    }
  });
});
