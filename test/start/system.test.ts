import { once } from "node:events";
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, watch, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../pool/config.ts";
import { openNode } from "../../pool/node.ts";
import { openIdentity } from "../../pool/store/identity.ts";
import { lockDataDir } from "../../pool/store/lock.ts";
import { openSeal } from "../../pool/store/seal.ts";
import type { AppError } from "../../shared/errors.ts";
import { startFailureCode } from "../../shared/start-failure.ts";
import { markShown, openKeys } from "../../start/keys.ts";
import { findFolder, folderProblem, makeFolder } from "../../start/make-folder.ts";
import { takePort } from "../../start/ports.ts";
import { seedPlaybooks } from "../../start/seed.ts";
import { openSystem } from "../../start/system.ts";

describe("a launched system", () => {
  it("is ready when both are, and ends the node before the edge", async () => {
    await using place = await makePlace();
    const system = await place.open();
    expect((await fetch(`${system.url}/readyz`)).status).toBe(200);
    expect(await system.end()).toBe(0);
    expect((await place.log()).slice(-2)).toEqual(["node: ended while the edge answered", "edge: ended"]);
  });

  it("tells each only the secrets that it needs", async () => {
    await using place = await makePlace();
    await (await place.open({ SECRETS_KEY: "k" })).end();
    expect((await place.log()).slice(0, 2).toSorted()).toEqual([
      "edge: knows EDGE_API_KEYS,POOL_TOKEN",
      "node: knows POOL_TOKEN,SECRETS_KEY",
    ]);
  });

  it("does not start when one of them does not, says which, and leaves nothing running", async () => {
    await using place = await makePlace();
    await expect(place.open({ NODE_DOES: "refuse" })).rejects.toThrow("The node ended before it was ready (exit code 3)");
    await expect(fetch(`http://127.0.0.1:${place.edgePort}/readyz`)).rejects.toThrow("fetch failed");
  });

  it("waits for what the edge says of its own settings when the node refuses its, and not for the edge to be ready", async () => {
    await using place = await makePlace();
    await expect(place.open({ NODE_DOES: "refuse its settings" })).rejects.toThrow("(exit code 78)");
    expect(await place.log()).toContain("edge: ended");
  }, 15_000); // below the limit of that waiting

  it("does not start both on one port, and says so before it starts either", async () => {
    await using place = await makePlace();
    await expect(place.open({ POOL_PORT: String(place.edgePort) })).rejects.toThrow(`EDGE_PORT and POOL_PORT are both ${place.edgePort}`);
    expect(await place.log()).toEqual(["node: judged its settings"]);
  });

  it("tells when one of them ends by itself, and ends the other", async () => {
    await using place = await makePlace();
    const system = await place.open();
    await fetch(`${system.nodeUrl}/die`).catch(() => null); // it dies instead of answering
    expect(await system.broken).toEqual({ name: "The node", exit: { code: 7, signal: null } });
    expect(await system.end()).toBe(7);
    expect((await place.log()).at(-1)).toBe("edge: ended");
  });

  it("can be given up while it starts", async () => {
    await using place = await makePlace();
    const stop = new AbortController();
    const opening = place.open({ NODE_DOES: "not get ready" }, stop.signal);
    await place.says("node: listens");
    stop.abort(new Error("SIGINT came before it was ready"));
    await expect(opening).rejects.toThrow("SIGINT came");
    expect((await place.log()).filter((line) => line.startsWith("node: ended"))).toHaveLength(1); // in peace: what it has made by then goes with it
  });
});

describe("what launchers keep", () => {
  it("makes keys once, for their owner alone", async () => {
    await using place = await makePlace();
    const [first, second] = await Promise.all([openKeys(place.folder), openKeys(place.folder)]);
    expect(second).toEqual(first);
    expect(await openKeys(place.folder)).toEqual(first);
    expect((await stat(first.apiKeyFile)).mode & 0o777).toBe(0o600);
    expect((await stat(join(place.folder, "pool-token"))).mode & 0o777).toBe(0o600);
    expect(first.apiKey).toMatch(/^us_[\w-]{32}$/);
  });

  it("takes the key for shown only once it was, and a new key in its place for not shown", async () => {
    await using place = await makePlace();
    const first = await openKeys(place.folder);
    expect((await openKeys(place.folder)).shown).toBe(false); // the start that made it failed
    await markShown(first);
    expect((await openKeys(place.folder)).shown).toBe(true);
    await rm(first.apiKeyFile);
    expect((await openKeys(place.folder)).shown).toBe(false);
  });

  it("refuses an emptied key file instead of running without a secret", async () => {
    await using place = await makePlace();
    await writeFile(join(place.folder, "api-key"), "");
    await expect(openKeys(place.folder)).rejects.toThrow("api-key holds no secret");
  });

  it("gives the example playbooks to a new DATA_DIR only", async () => {
    await using place = await makePlace();
    await seedPlaybooks(place.folder);
    const given = await readdir(join(place.folder, "playbooks"));
    expect(given).toContain("cancel-order.yaml");
    await rm(join(place.folder, "playbooks/cancel-order.yaml"));
    await seedPlaybooks(place.folder);
    expect(await readdir(join(place.folder, "playbooks"))).not.toContain("cancel-order.yaml");
  });

  it("says which variable to change when a folder cannot be one, and does not try for ever", async () => {
    await using place = await makePlace();
    makeFolder(join(place.folder, "a/b"), "DATA_DIR");
    expect(await readdir(join(place.folder, "a/b"))).toEqual([]);
    for (const [folder, why] of [
      [join(place.folder, "log"), "it is a file"],
      [join(place.folder, "log/a/b"), "something above it is a file"],
      ["/proc/nowhere/a", "nothing can be written there, as below /proc"],
      ["/proc", "nothing can be written there"],
    ] as const) {
      const message = expect.stringMatching(`^Cannot use the folder "${folder}": ${why}.*; set VOLUME_URL to one `);
      expect(() => makeFolder(folder, "VOLUME_URL")).toThrow(expect.objectContaining({ code: "VALIDATION_FAILED", message }));
    }
    for (const code of ["ENOSPC", "EDQUOT"]) {
      const full = folderProblem("/data", "DATA_DIR", Object.assign(new Error(), { code }));
      expect([full.message, startFailureCode(full)]).toEqual([expect.stringContaining("is full; make room"), 1]); // no setting is wrong
    }
  });

  it("finds a folder that it reads only on a disk that can only be read", () => {
    expect(() => findFolder("/proc/self", "DATA_DIR")).not.toThrow();
    expect(() => makeFolder("/proc/self", "DATA_DIR")).toThrow("nothing can be written there");
  });

  it("opens no node whose DATA_DIR has a file where a folder must be", async () => {
    await using place = await makePlace();
    await writeFile(join(place.folder, "playbooks"), "");
    const config = readConfig({ POOL_TOKEN: "token-0123", DATA_DIR: place.folder, LOG_LEVEL: "silent" });
    await expect(openNode(config)).rejects.toThrow(`Cannot use the folder "${join(place.folder, "playbooks")}": it is a file`);
  });

  it("says in a sentence, with a setting's exit code, that a folder stands where a kept file must be", async () => {
    await using place = await makePlace();
    const inIts = (file: string) => join(place.folder, file);
    for (const file of ["api-key", "secrets.key", "node_id", "node.lock", "node.holder.json"]) await mkdir(inIts(file));
    for (const [file, open] of [
      ["api-key", () => openKeys(place.folder)],
      ["secrets.key", () => openSeal({ secretsKey: null, dataDir: place.folder })],
      ["node_id", () => openIdentity(place.folder)],
      ["node.lock", async () => lockDataDir(place.folder)],
      ["node.holder.json", () => rm(inIts("node.lock"), { recursive: true }).then(() => lockDataDir(place.folder))],
    ] as const) {
      const refusal: AppError = await open().then(
        () => expect.fail(file),
        (error) => error,
      );
      expect(refusal.message).toBe(
        `Cannot use the file "${inIts(file)}": it is a folder; put that right, or set DATA_DIR to another folder`,
      );
      expect(startFailureCode(refusal)).toBe(78);
    }
    await rm(inIts("node.holder.json"), { recursive: true });
    lockDataDir(place.folder)[Symbol.dispose](); // what could not name its holder has let go of the lock
  });

  it("says which variable to change when a port is taken", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const address = holder.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await expect(takePort("127.0.0.1", port, "EDGE")).rejects.toThrow(`Port ${port} on 127.0.0.1 is taken; set EDGE_PORT`);
    await expect(takePort("nowhere.invalid", port, "EDGE")).rejects.toThrow(`Cannot listen on nowhere.invalid:${port}; set EDGE_HOST to`);
    holder.close();
    expect(await takePort("127.0.0.1", 0, "EDGE")).toBeGreaterThan(0);
  });
});

/** A DATA_DIR, two free ports, and stand-ins whose output goes to a file. */
async function makePlace() {
  const folder = await mkdtemp(join(tmpdir(), "us-start-"));
  const [poolPort, edgePort] = [await takePort("127.0.0.1", 0, "POOL"), await takePort("127.0.0.1", 0, "EDGE")];
  const output = await open(join(folder, "log"), "a");
  const fixture = (name: string) => join(import.meta.dirname, "fixtures", name);
  return {
    folder,
    edgePort,
    open: (environment: Record<string, string> = {}, signal = new AbortController().signal) =>
      openSystem({
        environment: {
          PATH: process.env.PATH,
          DATA_DIR: join(folder, "data"),
          POOL_PORT: String(poolPort),
          EDGE_PORT: String(edgePort),
          EDGE_PORT_SEEN: String(edgePort),
          ...environment,
        },
        output: output.fd,
        signal,
        programs: { node: fixture("node.ts"), edge: fixture("edge.ts") },
      }),
    async says(text: string): Promise<void> {
      for await (const _change of watch(folder)) if ((await readFile(join(folder, "log"), "utf8")).includes(text)) return;
    },
    log: async () => (await readFile(join(folder, "log"), "utf8")).trimEnd().split("\n"),
    async [Symbol.asyncDispose]() {
      await output.close();
      await rm(folder, { recursive: true });
    },
  };
}
