import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openLibrary } from "../../pool/playbook/load.ts";
import { createLog } from "../../pool/telemetry/log.ts";

let dir: string;
let lines: string[];
const log = createLog("warn", {}, (line) => lines.push(line));

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "us-library-"));
  lines = [];
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const playbook = (id: string, name = id) => `id: ${id}\nname: ${name}\nsteps:\n  - action: wait_for\n    selector: a\n`;
const write = (file: string, text: string) => writeFile(join(dir, file), text);

it("lists what is there in the order of file names", async () => {
  await write("b.yaml", playbook("b"));
  await write("a.yaml", playbook("a"));
  await write("a-b.yaml", playbook("a-b"));
  await write("notes.txt", "hello");
  await write(".hidden.yaml", "]");
  const library = await openLibrary(dir, log);
  expect(library.list().map(({ id }) => id)).toEqual(["a-b", "a", "b"]);
  expect(library.get("a")?.id).toBe("a");
  expect(library.get("c")).toBeNull();
  expect(library.problems()).toEqual([]);
});

it("is empty while its folder is not there, and filled once it is", async () => {
  const later = join(dir, "later");
  const library = await openLibrary(later, log);
  expect(library.list()).toEqual([]);
  expect(library.get("a")).toBeNull();
  await mkdir(later);
  await writeFile(join(later, "a.yaml"), playbook("a"));
  expect(library.get("a")?.id).toBe("a");
});

it("skips broken files with one warning each, and lists them with field and line", async () => {
  await write("good.yaml", playbook("good"));
  await write("other.yaml", playbook("another"));
  await write("typo.yaml", "id: typo\nsteps:\n  - action: clik\n    selector: id=b\n");
  await write("No Id.yaml", playbook("no"));
  await write("ending.yml", playbook("ending"));
  await mkdir(join(dir, "folder.yaml"));
  const library = await openLibrary(dir, log);
  expect(library.list().map(({ id }) => id)).toEqual(["good"]);
  expect(library.problems().map(({ file, issues: [issue] }) => [file, issue?.path, issue?.line])).toEqual([
    ["No Id.yaml", "", undefined],
    ["ending.yml", "", undefined],
    ["other.yaml", "id", 1],
    ["typo.yaml", "steps[0].action", 3],
  ]);
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ file: "typo.yaml", issues: [{ line: 3 }, { line: 4 }] });
  library.list();
  expect(lines).toHaveLength(4);
});

it("reads a file again when it changes, breaks, heals, goes and comes back", async () => {
  await write("a.yaml", playbook("a", "first"));
  const library = await openLibrary(dir, log);
  const first = library.get("a");
  expect(library.get("a")).toBe(first); // unchanged: not parsed again
  await write("a.yaml", playbook("a", "second"));
  expect(library.get("a")?.name).toBe("second");
  await write("a.yaml", "]");
  expect(library.get("a")).toBeNull();
  expect(library.problems()).toHaveLength(1);
  await write("a.yaml", playbook("a", "healed"));
  expect(library.list()[0]?.name).toBe("healed");
  await rm(join(dir, "a.yaml"));
  expect(library.get("a")).toBeNull();
  expect(library.problems()).toEqual([]);
  await write("new", playbook("a", "moved"));
  await rename(join(dir, "new"), join(dir, "a.yaml"));
  expect(library.get("a")?.name).toBe("moved");
});

it("sees a change of the same length and with the same time", async () => {
  const time = new Date(1_700_000_000_000);
  await write("a.yaml", playbook("a", "one"));
  await utimes(join(dir, "a.yaml"), time, time);
  const library = await openLibrary(dir, log);
  await write("a.yaml", playbook("a", "two"));
  await utimes(join(dir, "a.yaml"), time, time);
  expect(library.get("a")?.name).toBe("two");
});

it.each(["../a", "a/../a", "a.yaml", "A", "", "a\0", "%2e%2e", "constructor/..", "x".repeat(101), ".."])(
  "builds no path from %j",
  async (id) => {
    await write("a.yaml", playbook("a"));
    const library = await openLibrary(join(dir, "inner"), log);
    expect(library.get(id)).toBeNull();
  },
);

it("follows no link to a folder and survives one to nothing", async () => {
  await symlink(join(dir, "nowhere"), join(dir, "dead.yaml"));
  await symlink(tmpdir(), join(dir, "tmp.yaml"));
  const library = await openLibrary(dir, log);
  expect(library.list()).toEqual([]);
});
