import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const LOCK = {
  "": { name: "example" },
  "node_modules/web": { version: "1.0.0" },
  "node_modules/tester": { version: "2.0.0", dev: true },
  "node_modules/tester-for-beos": { version: "2.0.0", dev: true, optional: true },
};

describe("setup", () => {
  it("installs production packages at first, and then has nothing to do", async () => {
    await using project = await makeProject();
    const first = await project.setup();
    expect(first).toMatchObject({ code: 0, stdout: "" });
    expect(first.stderr).toContain("Installing packages (none are there yet) …\n  done in");
    expect(await project.setup()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await project.npmCalls()).toEqual(["ci --no-audit --no-fund --omit=dev"]);
  });

  it("adds what tests need with --dev, which then serves production too", async () => {
    await using project = await makeProject();
    await project.setup();
    await project.setup("--dev");
    await project.setup();
    await project.setup("--dev");
    expect(await project.npmCalls()).toEqual([
      "ci --no-audit --no-fund --omit=dev",
      "install --no-save --no-audit --no-fund --include=dev", // `npm ci` would take the packages away from what runs on them
    ]);
  });

  it("installs once when two start side by side, and passes over a lock whose holder has died", async () => {
    await using project = await makeProject();
    await project.write(".setup.lock", "4194304"); // no process has this id
    const both = await Promise.all([project.setup(), project.setup()]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(await project.npmCalls()).toEqual(["ci --no-audit --no-fund --omit=dev"]);
    expect(await project.setup()).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("installs again when the lock file changed, and keeps development packages where they were", async () => {
    await using project = await makeProject();
    await project.setup("--dev");
    await project.writeLock({ ...LOCK, "node_modules/web": { version: "1.0.1" } });
    expect((await project.setup()).stderr).toContain("web missing or of another version");
    expect((await project.npmCalls()).at(-1)).toContain("--include=dev");
  });

  it("ends with npm's own words when npm fails", async () => {
    await using project = await makeProject({ NPM_FAILS: "1" });
    const { code, stderr } = await project.setup();
    expect(code).toBe(1);
    expect(stderr).toContain("Set-up failed.");
    expect(stderr).toContain("the registry is away");
  });

  it("fetches Node itself when npm left out install scripts", async () => {
    await using project = await makeProject({ NODE_24: "" });
    // What the package `node` has: a script that puts the executable beside itself.
    const script = `require("fs").mkdirSync("bin"); require("fs").symlinkSync(${JSON.stringify(process.execPath)}, "bin/node");`;
    await project.write("node_modules/node/installArchSpecificPackage.js", script);
    const first = await project.setup();
    expect(first.stderr).toContain("Getting Node 24 …");
    expect(first.code).toBe(0);
    expect(await project.setup()).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("names a wrong CHROME_PATH instead of taking another Chrome", async () => {
    await using project = await makeProject({ CHROME_PATH: "/nowhere/chrome" });
    const { code, stderr } = await project.setup();
    expect(code).toBe(1);
    expect(stderr).toContain('CHROME_PATH is "/nowhere/chrome"');
  });

  it("has a lock file that names every package npm ci asks for", async () => {
    type Locked = { optionalDependencies?: Record<string, string>; dependencies?: Record<string, string> };
    const { packages } = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8")) as { packages: Record<string, Locked> };
    const missing = Object.entries(packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
      Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !resolves(packages, path, name)),
    );
    expect(missing).toEqual([]);
  });
});

/** As Node looks packages up: in the own node_modules folder, then in each further out. */
function resolves(packages: Record<string, unknown>, from: string, name: string): boolean {
  if (`${from === "" ? "" : `${from}/`}node_modules/${name}` in packages) return true;
  return from !== "" && resolves(packages, from.replace(/(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/, ""), name);
}

/** A folder with our set-up, a lock file of its own and a stand-in for npm. */
async function makeProject(env: Record<string, string> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "us-setup-"));
  const write = async (path: string, text: string) => {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  await cp(join(ROOT, "start"), join(folder, "start"), { recursive: true });
  await cp(join(import.meta.dirname, "fixtures/npm.js"), join(folder, "npm.js"));
  await write("package.json", '{ "type": "module" }');
  await write("node_modules/.keep", "");
  await write("programs/chromium", "#!/bin/sh\n"); // there, so that set-up does not fetch one
  await chmod(join(folder, "programs/chromium"), 0o755);
  const writeLock = (packages: object) => write("package-lock.json", JSON.stringify({ packages }));
  await writeLock(LOCK);

  return {
    write,
    writeLock,
    /** Runs set-up as `npm run` would. */
    setup(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
      const environment = {
        PATH: `${join(folder, "node_modules/.bin")}:${join(folder, "programs")}:${process.env.PATH}`,
        npm_execpath: join(folder, "npm.js"),
        npm_node_execpath: process.execPath,
        NODE_24: process.execPath,
        ...env,
      };
      return new Promise((resolve) => {
        execFile(process.execPath, ["start/setup.js", ...args], { cwd: folder, env: environment }, (error, stdout, stderr) =>
          resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
        );
      });
    },
    npmCalls: async () => (await readFile(join(folder, "npm-calls.log"), "utf8")).trimEnd().split("\n"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
