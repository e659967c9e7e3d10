import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lockDataDir } from "../../pool/store/lock.ts";

const LOCK = new URL("../../pool/store/lock.ts", import.meta.url).href;

/** Another process that holds the lock, until it is killed. */
async function otherHolder(dir: string) {
  const script = `const { lockDataDir } = await import(${JSON.stringify(LOCK)}); globalThis.lock = lockDataDir(${JSON.stringify(dir)});
    console.log("held"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const kill = async (signal: NodeJS.Signals) => {
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  };
  return { pid: child.pid, child, kill };
}

describe("the lock of DATA_DIR", () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "us-lock-"));
  });
  afterAll(() => rm(dir, { recursive: true }));

  it("refuses a second process, names the first, and is free the moment that one is killed", async () => {
    const other = await otherHolder(dir);
    expect(() => lockDataDir(dir)).toThrow(
      expect.objectContaining({
        code: "CONFLICT",
        message: expect.stringContaining(`process ${other.pid} on ${hostname()}, running since 20`),
      }),
    );
    await other.kill("SIGKILL");
    using _lock = lockDataDir(dir);
  });

  it("holds while its holder is frozen", async () => {
    const other = await otherHolder(dir);
    other.child.kill("SIGSTOP");
    expect(() => lockDataDir(dir)).toThrow(expect.objectContaining({ code: "CONFLICT" }));
    await other.kill("SIGKILL");
  });

  it("refuses the same process twice, and can be taken again once it is given back", () => {
    {
      using _lock = lockDataDir(dir);
      expect(() => lockDataDir(dir)).toThrow(expect.objectContaining({ message: expect.stringContaining(`process ${process.pid}`) }));
    }
    using _again = lockDataDir(dir);
  });

  it("says in a sentence what stands in the place of its file", async () => {
    const [strange, looped] = [join(dir, "strange"), join(dir, "looped")];
    await Promise.all([strange, looped].map((each) => mkdir(each)));
    await writeFile(join(strange, "node.lock"), "kept for something else ".repeat(50));
    await symlink("node.lock", join(looped, "node.lock"));
    const sentence = (dir: string) =>
      expect.objectContaining({
        code: "VALIDATION_FAILED",
        message: expect.stringMatching(new RegExp(`^Cannot use the file "${dir}/node.lock": it .*set DATA_DIR to another folder$`)),
      });
    for (const each of [strange, looped]) expect(() => lockDataDir(each)).toThrow(sentence(each));
  });

  it("makes a folder that is missing, closed to others", async () => {
    using _lock = lockDataDir(join(dir, "deep", "er"));
    expect((await stat(join(dir, "deep", "er"))).mode & 0o777).toBe(0o700);
  });
});
