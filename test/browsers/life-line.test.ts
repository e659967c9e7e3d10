import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FolderRecord, folderAt } from "../../pool/browsers/browser-folder.ts";
import { folderCandidates, sweepFolders } from "../../pool/browsers/folder-root.ts";
import { identify, isAlive, killGroup, machineIdentity, type ProcessIdentity } from "../../pool/browsers/process-identity.ts";
import type { BrowserInfo } from "../../shared/node.ts";
import { chromesUnder, foldersUnder, membersOf, openPool, quiet, renderersOf, tempDir, until } from "./support.ts";

describe("a node that is killed", () => {
  let dataDir: string;
  beforeEach(() => {
    dataDir = tempDir();
  });
  const started: number[] = [];
  afterEach(() => {
    for (const group of started.splice(0)) killGroup(group); // where a test failed
    rmSync(dataDir, { recursive: true, force: true });
  });

  /** Starts a node with one browser leased. */
  async function startNode(): Promise<{ node: ChildProcess; pid: number }> {
    const node = spawn(process.execPath, [join(import.meta.dirname, "node-process.ts"), dataDir], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(createInterface(node.stdout), "line")) as [string];
    const leased = (JSON.parse(line) as BrowserInfo[]).find((each) => each.state === "busy");
    if (leased?.pid == null) throw new Error("The node leased no browser");
    started.push(leased.pid);
    return { node, pid: leased.pid };
  }

  it("takes its Chromes with it within a second, and its next start removes their folders", async () => {
    const { node, pid } = await startNode();
    expect(membersOf(pid).length).toBeGreaterThan(2);
    node.kill("SIGKILL");
    await until(() => membersOf(pid).length === 0 && chromesUnder(dataDir).length === 0, 1_000);
    expect(foldersUnder(dataDir)).not.toEqual([]);

    await using _next = await openPool({ dataDir, nodeId: "node-killed" });
    expect(foldersUnder(dataDir)).toEqual([]);
  });

  it("leaves a Chrome that was stopped; its next start ends it", async () => {
    const { node, pid } = await startNode();
    for (const member of membersOf(pid)) process.kill(member, "SIGSTOP");
    const killed = once(node, "exit");
    node.kill("SIGKILL");
    await killed;
    expect(membersOf(pid)).toContain(pid);

    await sweepFolders(folderCandidates(dataDir, "node-killed"), quiet);
    await until(() => membersOf(pid).length === 0);
    expect(foldersUnder(dataDir)).toEqual([]);
  });

  it("may leave a stopped renderer; its next start ends it", async () => {
    const { node, pid } = await startNode();
    for (const renderer of renderersOf(pid)) process.kill(renderer, "SIGSTOP");
    const killed = once(node, "exit");
    node.kill("SIGKILL");
    await killed;
    await until(() => !membersOf(pid).includes(pid));

    await sweepFolders(folderCandidates(dataDir, "node-killed"), quiet);
    await until(() => membersOf(pid).length === 0);
  });
});

describe("the sweep of folders", () => {
  let dataDir: string;
  let stranger: ChildProcess & { pid: number };
  beforeEach(() => {
    dataDir = tempDir();
    stranger = spawn("sleep", ["60"], { detached: true, stdio: "ignore" }) as typeof stranger;
  });
  afterEach(() => {
    stranger.kill("SIGKILL");
    rmSync(dataDir, { recursive: true, force: true });
  });

  const dead: ProcessIdentity = { pid: process.pid, startTicks: 1, name: "node" };
  const sweep = () => sweepFolders(folderCandidates(dataDir, "node"), quiet);
  function leaveFolder(record: Partial<FolderRecord> | string): void {
    const { path, profile } = folderAt(join(dataDir, "browsers", "0a1b2c-1"));
    mkdirSync(profile, { recursive: true });
    const whole = { machine: machineIdentity(), node: dead, chrome: null };
    writeFileSync(join(path, "node.json"), typeof record === "string" ? record : JSON.stringify({ ...whole, ...record }));
  }

  it("kills the process group that the record names", async () => {
    leaveFolder({ chrome: identify(stranger.pid) });
    const ended = once(stranger, "exit");
    await sweep();
    expect((await ended)[1]).toBe("SIGKILL");
    expect(foldersUnder(dataDir)).toEqual([]);
  });

  it.each<[string, (stranger: ProcessIdentity) => Partial<FolderRecord>]>([
    ["whose number now belongs to another process", (of) => ({ chrome: { ...of, startTicks: of.startTicks - 1 } })],
    ["of another machine, or of before it was started anew", (of) => ({ machine: "another", chrome: of })],
  ])("spares a process group %s, and removes the folder", async (_, record) => {
    leaveFolder(record(identify(stranger.pid)));
    await sweep();
    expect(isAlive(identify(stranger.pid))).toBe(true);
    expect(foldersUnder(dataDir)).toEqual([]);
  });

  it("spares all that belongs to a node that lives", async () => {
    leaveFolder({ node: identify(process.pid), chrome: identify(stranger.pid) });
    await sweep();
    expect(isAlive(identify(stranger.pid))).toBe(true);
    expect(foldersUnder(dataDir)).toEqual(["0a1b2c-1"]);
  });

  it.each(["", "{", "null", '{"machine":1}', "[]", '{"machine":"","node":{"pid":1},"chrome":{"pid":-1}}'])(
    "removes a folder whose record is %j",
    async (record) => {
      leaveFolder(record);
      await sweep();
      expect(foldersUnder(dataDir)).toEqual([]);
    },
  );
});
