import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { requireChrome } from "../../pool/browsers/find-chrome.ts";
import { findChrome } from "../../start/find-chrome.js";
import { membersOf, openPool, renderersOf, securityOf, soon, tempDir, until, VIEWPORT } from "./support.ts";

let dir: string;
beforeEach(() => {
  dir = tempDir();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** An executable that does what the shell script says. */
function program(script: string, path = join(dir, "chrome.sh")): string {
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}
const realChrome = () => requireChrome(process.env.CHROME_PATH ?? null);

describe("a Chrome that does not start", () => {
  it("is an error at start, with its last words", async () => {
    const chromePath = program("echo 'no usable display' >&2; exit 7");
    await expect(openPool({ chromePath, sandbox: "off" })).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringMatching(/exit code 7.*no usable display/s),
      details: { stderr: "no usable display" },
    });
  });

  it.runIf(process.getuid?.() === 0)("names the folder that its own user may not enter, and what to do", async () => {
    const closed = join(dir, "closed");
    mkdirSync(closed, { mode: 0o700 });
    chmodSync(dir, 0o755);
    const chromePath = program("exit 7", join(closed, "chrome.sh"));
    await expect(openPool({ chromePath, sandbox: "required" })).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining(`user 65534 cannot enter "${closed}", where it is. Let others pass (chmod o+x '${closed}')`),
    });
  });

  it("is said to lack its sandbox where that is required, and what to do", async () => {
    const chrome = await realChrome();
    const chromePath = program(`case "$*" in *--no-sandbox*) exec ${chrome} "$@";; esac; echo 'No usable sandbox!' >&2; exit 1`);
    await expect(openPool({ chromePath, sandbox: "required" })).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringMatching(/sandbox.*CHROME_SANDBOX=auto.*No usable sandbox!/s),
    });
    await using pool = await openPool({ chromePath, sandbox: "auto" });
    expect(pool.tier).toBe("no-sandbox");
  });

  it("fails the run that wanted it, makes the node not ready, and is tried again until it works", async () => {
    const chrome = await realChrome();
    const works = `exec ${chrome} "$@"`;
    const chromePath = program(works);
    await using pool = await openPool({ chromePath, warm: 0 });
    expect(pool.ready()).toEqual([]);

    program("echo 'out of memory' >&2; kill -SEGV $$");
    const lease = pool.lease("run", { signal: soon(), viewport: VIEWPORT });
    await expect(lease).rejects.toMatchObject({ code: "SETUP_FAILED", details: { stderr: "out of memory" } });
    expect(pool.list()).toEqual([]);
    expect(pool.ready()).toEqual([expect.stringContaining("out of memory")]);

    program(works);
    await until(() => pool.ready().length === 0);
  });

  it("that hangs ends when its run is stopped, with all that it started", async () => {
    const chrome = await realChrome();
    const chromePath = program(`exec ${chrome} "$@"`);
    await using pool = await openPool({ chromePath });
    program("sleep 600 & sleep 600");
    const stop = new AbortController();
    const lease = pool.lease("run", { signal: stop.signal, viewport: VIEWPORT });
    await until(() => pool.list().length === 1);
    stop.abort(new Error("stopped"));
    await expect(lease).rejects.toThrow("stopped");
    expect(pool.list()).toEqual([]);
  });
});

describe("the sandbox", () => {
  it("is on in the tier that says so, as a user who is not root", async () => {
    await using pool = await openPool({ sandbox: "auto" });
    await using _lease = await pool.lease("run", { signal: soon(), viewport: VIEWPORT });
    const pid = pool.list()[0]?.pid ?? 0;
    expect(membersOf(pid).length).toBeGreaterThan(2);
    // The browser's own user is no root; its renderers see neither the other processes nor most of the kernel.
    const browser = securityOf(pid);
    for (const renderer of renderersOf(pid).map(securityOf)) {
      if (pool.tier === "no-sandbox") expect(renderer).toMatchObject({ seccomp: "0" });
      else expect(renderer).toMatchObject({ seccomp: "2", noNewPrivileges: "1" });
      expect(renderer.pidSpace !== browser.pidSpace).toBe(pool.tier !== "no-sandbox");
      if (pool.tier !== "no-sandbox") expect(browser.uid).not.toBe("0");
    }
    expect(renderersOf(pid).length).toBeGreaterThan(0);
  });
});

describe("finding Chrome", () => {
  const nowhere = { PATH: "", HOME: "/nonexistent" };

  it("takes CHROME_PATH, and nothing else where that is wrong", async () => {
    const chrome = program("");
    expect(await findChrome({ ...nowhere, CHROME_PATH: chrome })).toBe(chrome);
    await expect(findChrome({ PATH: process.env.PATH, CHROME_PATH: join(dir, "none") })).rejects.toThrow(
      /CHROME_PATH.*apt-get install chromium/s,
    );
    await expect(requireChrome(dir)).rejects.toMatchObject({ code: "SETUP_FAILED" });
  });

  it("takes the newest that set-up downloaded, a headless shell before a whole Chrome, where the machine has none", async () => {
    const cached = (build: string, version: string) => {
      const folder = join(dir, "understudy/browsers", build, `linux-${version}`, `${build}-linux64`);
      mkdirSync(folder, { recursive: true });
      return program("", join(folder, build));
    };
    const found = async () => {
      const path = await findChrome({ ...nowhere, XDG_CACHE_HOME: dir });
      return path === (await findChrome(nowhere)) ? "in a usual place" : path; // those go first
    };
    cached("chrome", "99.0.1");
    expect([cached("chrome", "156.0.1"), "in a usual place"]).toContain(await found());
    cached("chrome-headless-shell", "99.0.1");
    expect([cached("chrome-headless-shell", "155.0.1"), "in a usual place"]).toContain(await found());
  });

  it("takes a headless shell on PATH before a whole Chrome in its usual place", async () => {
    const shell = program("", join(dir, "chrome-headless-shell"));
    program("", join(dir, "chromium"));
    const found = await findChrome({ ...nowhere, PATH: dir });
    expect(found === shell || (await findChrome(nowhere))?.endsWith("headless-shell")).toBe(true);
  });

  it("does not take a stub that only asks for a snap", async () => {
    program('echo "Command requires the chromium snap: snap install chromium"; exit 1', join(dir, "chromium-browser"));
    expect(await findChrome({ PATH: dir, HOME: dir })).not.toBe(join(dir, "chromium-browser"));
  });
});
