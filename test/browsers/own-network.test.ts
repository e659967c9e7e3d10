/** The strongest tier, wherever this machine could run it. With CI=true it must not be skipped there: the tier itself is then asked for. */
import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, closeSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { KeptNetworks } from "../../pool/browsers/kept-networks.ts";
import { COUNTS_PROCESSES, OwnNetwork, takeNetwork } from "../../pool/browsers/own-network.ts";
import { groupExists } from "../../pool/browsers/process-identity.ts";
import { createLog } from "../../pool/telemetry/log.ts";
import {
  membersOf,
  openFiles,
  openPool,
  openSite,
  quiet,
  renderersOf,
  securityOf,
  soon,
  type TestPool,
  tempDir,
  until,
  VIEWPORT,
} from "./support.ts";

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

/** Asked of the machine too: profiles are on disk where this is forbidden. */
const mountable =
  possible &&
  spawnSync(
    "unshare",
    [...["--user", "--map-root-user", "--mount", "--propagation", "unchanged"], "--", "mount", "-t", "tmpfs", "probe", "/tmp"],
    isRoot ? { uid: NOBODY, gid: NOBODY } : {},
  ).status === 0;

describe.runIf(mountable)("the profile of a Chrome with a network of its own", () => {
  const HOARD = `<title>Hoard</title><script>
    const fill = async () => {
      const cache = await caches.open("all");
      for (let i = 0; ; i += 1) await cache.put("/" + i, new Response(crypto.getRandomValues(new Uint8Array(65536)).buffer));
    };
  </script>`;
  /** Of the Chrome of a run: what is mounted at its profile, and what this process sees there. */
  const profileOf = (pool: TestPool, run: string) => {
    const pid = pool.list().find(({ run_id }) => run_id === run)?.pid ?? 0;
    const path = /--user-data-dir=([^\0 ]*)/.exec(readFileSync(`/proc/${pid}/cmdline`, "latin1"))?.[1] ?? "";
    const mount = readFileSync(`/proc/${pid}/mountinfo`, "utf8")
      .split("\n")
      .find((line) => line.split(" ")[4] === path);
    return { mount, onDisk: readdirSync(path) };
  };

  it("is in memory of its own: a page that stores without end fills that, and goes on", async () => {
    await using site = await openSite({ "/": HOARD });
    await using pool = await openPool({ sandbox: "auto", profileMib: 16 });
    await using lease = await pool.lease("run", { signal: soon(), viewport: VIEWPORT });
    const { mount, onDisk } = profileOf(pool, "run");
    expect(mount).toMatch(/ rw,nosuid,nodev,noexec,.* - tmpfs .*size=16384k/);
    expect(onDisk).toEqual([]);

    await lease.page.goto(`${site.url}/`);
    await expect(lease.page.evaluate("fill()")).rejects.toThrow(/quota/i);
    await lease.page.goto(`${site.url}/`);
    expect(await lease.page.title()).toBe("Hoard");
    expect(lease.lost.aborted).toBe(false);
  });

  it("is on disk where the operator wants it so, or the machine does not let us, which is said once", async () => {
    const told: string[] = [];
    const log = createLog("info", {}, (line) => told.push(line));
    {
      await using pool = await openPool({ sandbox: "auto", profileMib: 0, log });
      await using _lease = await pool.lease("run", { signal: soon(), viewport: VIEWPORT });
      expect(pool.tier).toBe("netns");
      expect(profileOf(pool, "run")).toMatchObject({ mount: undefined, onDisk: expect.arrayContaining(["Default"]) });
      expect(told.filter((line) => line.includes("on disk"))).toEqual([]);
    }
    using _refusing = noMount();
    await using pool = await openPool({ sandbox: "auto", log });
    await using _lease = await pool.lease("run", { signal: soon(), viewport: VIEWPORT });
    expect(pool.tier).toBe("netns");
    expect(profileOf(pool, "run")).toMatchObject({ mount: undefined, onDisk: expect.arrayContaining(["Default"]) });
    expect(told.filter((line) => line.includes("on disk"))).toHaveLength(1);
  });
});

/** A machine on which nothing can be mounted. */
function noMount(): Disposable {
  const [dir, path] = [tempDir(), process.env.PATH];
  chmodSync(dir, 0o755);
  writeFileSync(join(dir, "mount"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  process.env.PATH = `${dir}:${path}`;
  return {
    [Symbol.dispose]() {
      process.env.PATH = path;
      rmSync(dir, { recursive: true });
    },
  };
}

const held = (kind: "net" | "user") => openFiles(process.pid).filter((path) => path.startsWith(`${kind}:[`));

describe.runIf(possible && COUNTS_PROCESSES)("the network of a Chrome that is gone", () => {
  let pool: TestPool;
  let site: Awaited<ReturnType<typeof openSite>>;
  const SLOTS = 4;
  const log: string[] = [];
  const told = (text: string) => log.filter((line) => line.includes(text)).length;
  beforeAll(async () => {
    site = await openSite({ "/first": "<title>First</title>", "/next": "<title>Next</title>" });
    pool = await openPool({ sandbox: "auto", slots: SLOTS, log: createLog("debug", {}, (line) => log.push(line)) });
  });
  afterAll(async () => {
    await pool[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    expect([held("net"), held("user")]).toEqual([[], []]);
  });

  type Taken = Awaited<ReturnType<typeof take>>;
  const take = async () => {
    const runId = crypto.randomUUID();
    const lease = await pool.lease(runId, { signal: soon(), viewport: VIEWPORT });
    const pid = pool.list().find(({ run_id }) => run_id === runId)?.pid ?? 0;
    return Object.assign(lease, { pid, net: readlinkSync(`/proc/${pid}/ns/net`) });
  };
  /** Ends them, and waits until the machine has buried their processes. */
  const end = async (leases: Taken[]) => {
    await Promise.all(leases.map((lease) => lease[Symbol.asyncDispose]()));
    await until(() => !leases.some(({ pid }) => groupExists(pid)));
  };

  it("is the next one's, who finds in it what is in a new one", async () => {
    const before = await Promise.all([take(), take()]); // one of them may have that of the pool's first Chrome
    await Promise.all(before.map((lease) => lease.page.goto(`${site.url}/first`)));
    await end(before);
    const [kept, entered] = [held("net"), told("has the network of an earlier one")];
    const next = await take();
    expect(told("has the network of an earlier one")).toBe(entered + 1);
    expect(told("cannot be entered")).toBe(0);
    expect(kept).toContain(next.net);
    if (mountable) expect(readFileSync(`/proc/${next.pid}/mountinfo`, "utf8")).toMatch(/\/p rw,\S* .*- tmpfs profile /);
    expect(readFileSync(`/proc/${next.pid}/uid_map`, "utf8")).toMatch(isRoot ? /^\s*65534\s+65534\s+1$/m : /^\s*([1-9]\d*)\s+\1\s+1$/m); // not the network's own user namespace

    await next.page.goto(`${site.url}/next`);
    expect(next.egress.asked).toEqual([`${site.url}/next`]);
    for (const { egress } of before) expect(egress.asked).toEqual([`${site.url}/first`]);
    expect(readFileSync(`/proc/${next.pid}/net/dev`, "utf8").match(/\S+(?=:)/g)).toEqual(["lo"]);
    expect(readFileSync(`/proc/${next.pid}/net/route`, "utf8").trim().split("\n")).toHaveLength(1);
    expect(listening(next.pid)).toEqual(["00000000:0C38"]); // 0.0.0.0:3128
    expect(openFiles(next.pid).filter((path) => /^(net|user):/.test(path))).toEqual([]);
    for (const renderer of renderersOf(next.pid).map(securityOf)) expect(renderer).toMatchObject({ seccomp: "2", noNewPrivileges: "1" });
    await end([next]);
    expect(held("net").length).toBeLessThanOrEqual(2 * SLOTS);
    expect(held("user")).toHaveLength(held("net").length);
  });

  it("is nobody's any more where something is left in it: a process, a socket that was passed on, a connection that is still open", async () => {
    log.length = 0;
    const leases = await Promise.all([take(), take(), take()]);
    const [staying, passing, open] = leases as [Taken, Taken, Taken];
    const stray = inNetworkOf(staying.pid, STRAY);
    onTestFinished(() => void stray.kill("SIGKILL"));
    let said = "";
    stray.stdout?.setEncoding("utf8").on("data", (text: string) => (said += text));
    await until(() => staying.egress.asked.includes("http://stray.test/")); // so far it is the first Chrome's like any other
    const passer = inNetworkOf(passing.pid, PASSER);
    const [, server] = (await once(passer, "message")) as [string, Server];
    passer.kill("SIGKILL");
    await once(passer, "exit");
    const sockets: Socket[] = [];
    open.egress.take = (socket) => void sockets.push(socket.on("error", () => {}).pause());
    open.page.goto(`${site.url}/first`).catch(() => {}); // nobody answers
    await until(() => sockets.length > 0);

    await end(leases);
    said = "";
    await until(() => said.includes("hung up"));
    const askedSoFar = staying.egress.asked.length;
    const left = leases.map(({ net }) => net);
    expect(held("net")).toEqual(expect.arrayContaining(left));
    while (told("cannot be entered") < 3) {
      await using next = await take();
      expect(next.net).not.toBe(readlinkSync("/proc/self/ns/net"));
      await next.page.goto(`${site.url}/next`);
      expect(next.egress.asked).toEqual([`${site.url}/next`]);
    }
    const reasons = log.flatMap((line) => (line.includes("cannot be entered") ? /fork failed|sockets are in it/.exec(line)?.[0] : []));
    expect(reasons.toSorted()).toEqual(["fork failed", "sockets are in it", "sockets are in it"]);
    await until(() => said.includes("ECONNREFUSED")); // closed
    expect(staying.egress.asked).toHaveLength(askedSoFar);
    expect(said).not.toContain("answered");
    server.close();
    for (const socket of sockets) socket.destroy();
  });
});

/** As a Chrome that was broken into would: tries for ever. */
const STRAY = `const { connect } = require("net");
const dial = () => {
  const socket = connect(3128, "127.0.0.1", () => socket.write("GET http://stray.test/ HTTP/1.1\\r\\nHost: stray.test\\r\\n\\r\\n"));
  let isAnswered = false;
  socket.on("data", () => { isAnswered = true; socket.destroy(); }).on("error", (error) => console.log(error.code));
  socket.on("close", () => { console.log(isAnswered ? "answered" : "hung up"); setTimeout(dial, 20); });
};
dial();`;
const PASSER = `const server = require("net").createServer().listen(3129, "127.0.0.1", () => process.send("take it", server));`;

/** Runs our Node beside a Chrome, in its network and with its rights, in a group of its own. Which of our handles leads there shows when it is tried. */
function inNetworkOf(pid: number, script: string): ChildProcess {
  const fds = [openSync(process.execPath, "r"), ...readdirSync("/proc/self/fd").flatMap((fd) => (isUserNamespace(fd) ? [Number(fd)] : []))];
  const enter = `for fd in $(seq 5 ${3 + fds.length}); do
      nsenter --preserve-credentials --user=/proc/self/fd/$fd --net=/proc/$0/ns/net true 2>/dev/null || continue
      exec nsenter --preserve-credentials --user=/proc/self/fd/$fd --net=/proc/$0/ns/net \\
        nsenter --preserve-credentials --user=/proc/$0/ns/user /proc/self/fd/4 -e "$1"
    done`;
  const child = spawn("sh", ["-c", enter, String(pid), script], {
    cwd: "/",
    detached: true,
    stdio: ["ignore", "pipe", "inherit", "ipc", ...fds],
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  closeSync(fds[0] as number);
  return child;
}

function isUserNamespace(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith("user:[");
  } catch {
    return false; // that of the listing itself
  }
}

/** Local addresses on which somebody listens in the network of a process, as /proc writes them. */
const listening = (pid: number): string[] =>
  ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .flatMap((line) => /^\s*\d+: (\S+) \S+ 0A /.exec(line)?.[1] ?? []),
  );

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
         process.once("message", () => process.send("way out", server, () => process.exit()));`,
      ],
    });

  it("that is handed over too late is closed, and holds no process", async () => {
    const late = child();
    const [port] = (await once(late, "message")) as [number];
    expect(await isOpen(port)).toBe(true);
    const stop = new AbortController();
    const taking = takeNetwork(late, stop.signal);
    stop.abort(new Error("the node ends"));
    await expect(taking).rejects.toThrow("the node ends");
    late.send("now");
    await once(late, "disconnect");
    await expect.poll(() => isOpen(port)).toBe(false);
  });

  it("is missed in words where the child ends without it", async () => {
    const mute = child();
    const taking = takeNetwork(mute, soon());
    mute.kill("SIGKILL");
    await expect(taking).rejects.toMatchObject({ code: "SETUP_FAILED" });
  });
});

describe("networks that are kept", () => {
  /** As good as one, for whoever does not enter it. */
  const openNetwork = async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const handles = { user: openSync("/proc/self/ns/user", "r"), net: openSync("/proc/self/ns/net", "r") };
    const { port } = server.address() as AddressInfo;
    return { server, handles, network: new OwnNetwork(server, handles), dial: () => dial(port) };
  };
  const dial = async (port: number) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("what was said")).setEncoding("utf8");
    let heard = "";
    socket.on("data", (text) => (heard += text)).on("error", () => {});
    await new Promise((resolve) => socket.on("close", resolve)); // however it went
    return heard;
  };
  const GONE = 2 ** 22 + 1; // above every process number

  it("hang up on whoever connects while they are nobody's", async () => {
    const { network, dial } = await openNetwork();
    const heard: string[] = [];
    const taker = (name: string) => ({
      take: (socket: Socket) => void socket.on("data", (text) => socket.end(`${name}: ${heard.push(`${name} ${text}`)}`)),
    });
    expect(await dial()).toBe("");
    network.giveTo(taker("first"));
    expect(await dial()).toBe("first: 1");
    network.giveTo(null);
    expect(await dial()).toBe("");
    network.giveTo(taker("next"));
    expect(await dial()).toBe("next: 2");
    expect(heard).toEqual(["first what was said", "next what was said"]);
    network[Symbol.dispose]();
    network[Symbol.dispose]();
    expect(await dial()).toBe("");
  });

  it("are no more than there may be, wait until their dead are buried, and are closed in the end, also what comes later", async () => {
    const kept = new KeptNetworks(2, quiet);
    const [first, second, third] = await Promise.all([openNetwork(), openNetwork(), openNetwork()]);
    const group = spawn("sleep", ["60"], { detached: true, stdio: "ignore" }) as ChildProcess & { pid: number };
    kept.keep(first.network, group.pid);
    kept.keep(second.network, GONE);
    kept.keep(third.network, GONE);
    expect([first, second, third].map(({ server }) => server.listening)).toEqual([true, true, false]);
    expect(kept.take()).toBe(second.network);
    expect(kept.take()).toBeNull();
    kept.keep(second.network, GONE);
    group.kill("SIGKILL");
    await once(group, "exit");
    expect(kept.take()).toBe(first.network);
    kept[Symbol.dispose]();
    kept.keep(first.network, GONE);
    expect([first, second].map(({ server }) => server.listening)).toEqual([false, false]);
    for (const { handles } of [first, second, third]) expect(() => closeSync(handles.net)).toThrow("EBADF");
  });

  it("are none where this machine refuses every one of them, or holds none open for us", async () => {
    const kept = new KeptNetworks(2, quiet);
    const [first, second] = await Promise.all([openNetwork(), openNetwork()]);
    kept.keep(first.network, GONE);
    for (let i = 0; i < 3; i++) kept.wasRefused(new Error("no"));
    expect(kept.take()).toBeNull();
    kept.keep(second.network, GONE);
    expect([first, second].map(({ server }) => server.listening)).toEqual([false, false]);

    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const others = new KeptNetworks(2, quiet);
    others.keep(new OwnNetwork(closed, null), GONE);
    expect(closed.listening).toBe(false);
  });
});

it.runIf(process.env.CI === "true" && process.platform === "linux")("is possible on a machine of CI, or the machine says why not", () => {
  const limits = ["/proc/sys/user/max_user_namespaces", "/proc/sys/user/max_net_namespaces"].map((path) =>
    Number(readFileSync(path, "utf8")),
  );
  const forbidden = limits.includes(0) || spawnSync("unshare", ["--user", "true"], isRoot ? { uid: NOBODY, gid: NOBODY } : {}).status !== 0;
  expect(possible || forbidden).toBe(true);
});
