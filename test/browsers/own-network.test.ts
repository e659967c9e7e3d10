/** The strongest tier, wherever this machine could run it. With CI=true it must not be skipped there: the tier itself is then asked for. */
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { takeWayOut } from "../../pool/browsers/own-network.ts";
import { membersOf, openPool, openSite, renderersOf, securityOf, soon, tempDir, VIEWPORT } from "./support.ts";

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
/** Asked of the machine, not of our code. */
const possible =
  spawnSync(
    "unshare",
    ["--user", "--map-root-user", "--net", "--", "sh", "-c", "PATH=$PATH:/usr/sbin:/sbin ip link set lo up && unshare --user true"],
    {
      ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    },
  ).status === 0;

describe.runIf(possible)("a Chrome with a network of its own", () => {
  it("is what auto and required choose, has a loopback and nothing else, and reaches its egress listener alone", async () => {
    await using site = await openSite();
    using _closed = nodeInClosedFolder(); // as in a clone below /root, which Chrome's own user may not enter
    await using pool = await openPool({ sandbox: "auto", warm: 1 });
    expect(pool.tier).toBe("netns");
    await using lease = await pool.lease("run", { signal: soon(), viewport: VIEWPORT });
    const pid = pool.list().find(({ run_id }) => run_id === "run")?.pid ?? 0;
    const interfaces = readFileSync(`/proc/${pid}/net/dev`, "utf8").trim().split("\n").slice(2);
    expect(interfaces.map((line) => line.split(":")[0]?.trim())).toEqual(["lo"]);
    expect(readFileSync(`/proc/${pid}/net/route`, "utf8").trim().split("\n")).toHaveLength(1); // the heading
    expect(membersOf(pid).length).toBeGreaterThan(2); // one group, killed as one
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(status).toMatch(isRoot ? /^Uid:\t65534\t65534/m : new RegExp(`^Uid:\t${process.getuid?.()}\t`, "m"));

    await lease.page.goto(`${site.url}/`);
    expect(await lease.page.title()).toBe("Shop");
    expect(lease.egress.asked).toContain(`${site.url}/`);
    for (const renderer of renderersOf(pid).map(securityOf)) {
      expect(renderer).toMatchObject({ seccomp: "2", noNewPrivileges: "1" });
      expect(renderer.pidSpace).not.toBe(securityOf(pid).pidSpace);
    }
  });
});

/** Our Node, by a path that its owner alone may pass. */
function nodeInClosedFolder(): Disposable {
  const [dir, real] = [tempDir(), process.execPath];
  chmodSync(dir, 0o700);
  process.execPath = join(dir, "node");
  symlinkSync(real, process.execPath);
  return {
    [Symbol.dispose]() {
      process.execPath = real;
      rmSync(dir, { recursive: true });
    },
  };
}

describe("the way out of a Chrome's network", () => {
  const isOpen = (port: number) =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
  const child = () =>
    fork("data:text/javascript,", {
      execArgv: [
        "-e",
        `const server = require("net").createServer().listen(0, "127.0.0.1", () => process.send(server.address().port));
         process.on("message", () => process.send("way out", server, () => process.exit()));`,
      ],
    });

  it("that is handed over too late is closed, and holds no process", async () => {
    const late = child();
    const [port] = (await once(late, "message")) as [number];
    expect(await isOpen(port)).toBe(true);
    const stop = new AbortController();
    const taking = takeWayOut(late, stop.signal);
    stop.abort(new Error("the node ends"));
    await expect(taking).rejects.toThrow("the node ends");
    late.send("now");
    await once(late, "disconnect");
    await expect.poll(() => isOpen(port)).toBe(false);
  });

  it("is missed in words where the child ends without it", async () => {
    const mute = child();
    const taking = takeWayOut(mute, soon());
    mute.kill("SIGKILL");
    await expect(taking).rejects.toMatchObject({ code: "SETUP_FAILED" });
  });
});

it.runIf(process.env.CI === "true" && process.platform === "linux")("is possible on a machine of CI, or the machine says why not", () => {
  const limits = ["/proc/sys/user/max_user_namespaces", "/proc/sys/user/max_net_namespaces"].map((path) =>
    Number(readFileSync(path, "utf8")),
  );
  const forbidden = limits.includes(0) || spawnSync("unshare", ["--user", "true"], isRoot ? { uid: NOBODY, gid: NOBODY } : {}).status !== 0;
  expect(possible || forbidden).toBe(true);
});
