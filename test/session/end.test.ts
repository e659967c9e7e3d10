import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { link, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it, vi } from "vitest";
import { endRunsOfEarlierBoots } from "../../pool/queue/lost.ts";
import { tryAgainAs } from "../../pool/queue/next-attempt.ts";
import { stopRun } from "../../pool/queue/stop.ts";
import { deliverFromOutbox } from "../../pool/recovery.ts";
import { SecretsInHand } from "../../pool/secrets/in-hand.ts";
import { LiveRuns } from "../../pool/session/live-runs.ts";
import { Outbox } from "../../pool/session/outbox.ts";
import { RunEvents } from "../../pool/session/run-events.ts";
import { Session } from "../../pool/session/session.ts";
import type { SessionDeps, TryAgain } from "../../pool/session/session-deps.ts";
import { EventWriter, readEvents } from "../../pool/store/events.ts";
import type { NewRun } from "../../pool/store/runs.ts";
import { type Store, StoreOutage } from "../../pool/store/sql.ts";
import { readRun } from "../../pool/store/to-run.ts";
import type { Log } from "../../pool/telemetry/log.ts";
import { createRunTraces } from "../../pool/telemetry/run-spans.ts";
import { openDirectoryVolume } from "../../pool/volume/directory.ts";
import { AppError } from "../../shared/errors.ts";
import type { RunEvent } from "../../shared/event.ts";
import { PlaybookSchema } from "../../shared/playbook.ts";
import { NO_TRACING } from "../../shared/tracing.ts";
import { newRun, OUTCOME, OWNER, quiet } from "../support/run-fixtures.ts";
import { claimedRun, eachStore, eventually, type TestStore } from "../support/store.ts";

/** A session on a store that can go away, beside an outbox that is not started. There is no Chrome: its work fails at once. */
async function sessionOn(opened: TestStore, more: Partial<SessionDeps> = {}, posted: Partial<NewRun> = {}) {
  await using made = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "us-end-"));
  made.defer(() => rm(root, { recursive: true, force: true }));
  const outage = { isOn: false, answersLost: false };
  const away = () => new StoreOutage("away");
  const store: Store = {
    ...opened.store,
    query: async <Row>(...asked: Parameters<Store["query"]>) => {
      if (outage.isOn) throw away();
      const rows = await opened.store.query<Row>(...asked);
      if (outage.answersLost) throw away();
      return rows;
    },
    transaction: (work) => (outage.isOn ? Promise.reject(away()) : opened.store.transaction(work)),
  };
  const writer = new EventWriter({ store, settle: async () => {}, log: quiet });
  const volume = await openDirectoryVolume(join(root, "volume"));
  const tryAgain: TryAgain = (fence, error) => tryAgainAs({ store, queue: opened.queue }, fence, error);
  const outbox = await Outbox.open(join(root, "outbox"), deliverFromOutbox({ store, volume, writer, tryAgain, log: quiet }), quiet);
  const claim = await claimedRun(opened, newRun({}, posted));
  const browsers = { lease: async () => Promise.reject(new Error("There is no Chrome")) } as unknown as SessionDeps["browsers"];
  const own = { browsers, store, writer, volume, outbox, workDir: join(root, "work"), secretsInHand: new SecretsInHand(), log: quiet };
  const told = { traces: createRunTraces(NO_TRACING), tryAgain, onVerdict: () => {}, onAction: () => {}, onEnd: () => {} };
  const session = new Session(claim, { ...own, ...told, ...more } as SessionDeps);
  const live = new LiveRuns();
  live.add(session);
  const kept = made.move();
  return { session, live, outbox, outage, store, volume, root, ...claim, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

eachStore(
  "a session's end",
  (opened) => {
    it("is not shown before it is stored or on disk: what a client has read does not change", async () => {
      await using run = await sessionOn(opened());
      await run.session.events();
      const shown: string[] = [];
      const add = vi.spyOn(run.outbox, "add").mockImplementationOnce(async (entry) => {
        shown.push(run.session.toRun().status);
        await run.outbox.add(entry);
        shown.push(run.session.toRun().status);
      });
      run.outage.isOn = true;
      await run.session.run();
      expect(add).toHaveBeenCalled();
      expect(shown).toEqual(["starting", "starting"]);
      expect(run.session.toRun()).toMatchObject({ status: "failed", error: { code: "SETUP_FAILED" } });
      run.outage.isOn = false;
      await run.live.settled(); // which a node that is to end waits for, and no longer
      expect(await readRun(opened().store, run.fence.run_id)).toMatchObject({ status: "starting" });
      expect(run.live.get(run.fence.run_id)?.toRun().status).toBe("failed"); // what clients read until the store says it too
      expect(await run.outbox.deliverAll()).toEqual([]);
      expect(await readRun(opened().store, run.fence.run_id)).toMatchObject({ status: "failed", error: { code: "SETUP_FAILED" } });
      await eventually(() => run.live.get(run.fence.run_id)).toBeNull();
    });

    it("by a crash is none where attempts are left: the run waits for its next one, also when an outage came between", async () => {
      const { store } = opened();
      const crash = new AppError("BROWSER_CRASHED", "gone");
      await using run = await sessionOn(opened(), {}, newRun({ retries: 1 }));
      run.outage.isOn = true;
      run.session.stop(crash);
      await run.session.run();
      await run.session.settled;
      expect(run.session.toRun().status).toBe("starting");
      run.outage.isOn = false;
      expect(await run.outbox.deliverAll()).toEqual([]);
      const again = { status: "queued", attempt: 2, earlier_attempts: [{ attempt: 1, error: { code: "BROWSER_CRASHED" } }] };
      expect(await readRun(store, run.fence.run_id)).toMatchObject(again);
      expect(await stat(run.session.dir).catch(() => null)).toBeNull();
      await stopRun({ store, queue: opened().queue }, run.fence.run_id); // or it would be the one that is claimed now

      await using next = await sessionOn(opened(), {}, newRun({ retries: 1 }));
      const log = await next.session.events();
      next.session.stop(crash);
      await next.session.run();
      expect(log.all().at(-1)).toMatchObject({ id: 3, event: { status: "queued", attempt: 2, error: { code: "BROWSER_CRASHED" } } });
      expect(next.live.get(next.fence.run_id)).toBeNull();
      await next.session.settled;
      expect(await readRun(store, next.fence.run_id)).toMatchObject(again);
    });

    it("that was written elsewhere is not contradicted here: the run is no longer live", async () => {
      await using run = await sessionOn(opened());
      const { store, queue } = opened();
      await endRunsOfEarlierBoots({ store, queue, owner: { ...OWNER, boot_id: "boot-2" }, log: quiet });
      expect(run.live.get(run.fence.run_id)).toBe(run.session);
      await run.session.run();
      expect(run.live.get(run.fence.run_id)).toBeNull();
      expect((await run.session.events()).isEnded).toBe(true);
      expect(run.session.toRun().status).toBe("starting");
      await run.live.settled();
      expect(await readRun(store, run.fence.run_id)).toMatchObject({ status: "failed", error: { code: "NODE_LOST" } });
    });

    it("stores first what an outage kept from the store, each event once", async () => {
      await using run = await sessionOn(opened());
      const { store } = opened();
      const failures: unknown[] = [];
      const hint = (text: string): RunEvent => ({
        type: "guardrail",
        at: new Date().toISOString(),
        rule: "r",
        kind: "hint",
        reason: text,
        action_seq: null,
        host: null,
      });
      const writer = new EventWriter({ store: run.store, settle: async () => {}, log: quiet, outageLimitMs: 0 });
      const options = { writer, fence: run.fence, lastEventId: 2, onFailure: (error: unknown) => failures.push(error), log: quiet };
      const events = new RunEvents({ ...options, store: run.store });
      events.emit(hint("before"));
      await events.unstored().settled;
      run.outage.answersLost = true; // this one arrives, and nobody hears of it
      events.running(new Date());
      await events.unstored().settled;
      run.outage.answersLost = false;
      run.outage.isOn = true;
      events.emit(hint("last"));
      await events.unstored().settled;
      run.outage.isOn = false;
      await expect(events.end("completed", OUTCOME, () => {})).rejects.toBeInstanceOf(StoreOutage);
      const { settled: _, ...before } = events.unstored();
      const fields = { ...OUTCOME, at: new Date().toISOString() };
      await run.outbox.add({
        kind: "publish",
        run_id: run.fence.run_id,
        payload: { fence: run.fence, status: "completed", fields, before },
      });
      expect(await run.outbox.deliverAll()).toEqual([]);
      const stored = await readEvents(store, run.fence.run_id, 2, 100);
      const told = stored.map(({ event }) => (event.type === "guardrail" ? event.reason : "status" in event ? event.status : event.type));
      expect(told).toEqual(["before", "running", "last", "completed", "completed"]);
      expect(failures).toHaveLength(2);
      run.session.stop(new AppError("RUN_TERMINATED", "Enough"));
    });

    it("kills Chrome and gives the slot back though the recording cannot be written, and keeps what is finished later", async () => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      try {
        const ended: string[] = [];
        const [closed, reached] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
        const lease = {
          lost: new AbortController().signal,
          egress: { attach: () => {} },
          version: "1.2.3",
          page: {
            createCDPSession: () => {
              reached.resolve();
              run.session.stop(new AppError("RUN_TERMINATED", "Enough"));
              return new Promise(() => {});
            },
          },
          kill: () => void ended.push("killed"),
          [Symbol.asyncDispose]: () => closed.promise.then(() => void ended.push("gone")),
        };
        let part = "";
        const browsers = {
          lease: async (runId: string) => {
            part = join(run.root, "work", runId, "trace.zip.part");
            await promisify(execFile)("mkfifo", [part]); // who opens it to write waits for a reader
            return lease;
          },
        } as unknown as SessionDeps["browsers"];
        const steps = [{ action: "goto", params: { url: "http://example.test/" } }];
        const run = await sessionOn(
          opened(),
          { browsers, policyOf: () => ({}) as never },
          { playbook: PlaybookSchema.parse({ id: "p", steps }) },
        );
        await using _run = run;
        const left = run.session.run().then(() => ended.push("left"));
        await reached.promise;
        const until = async (isSo: () => boolean) => {
          while (!isSo()) await vi.advanceTimersByTimeAsync(100);
        };
        await until(() => ended.length > 0);
        expect(ended).toEqual(["killed"]);
        expect(run.session.toRun().status).toBe("terminated");
        closed.resolve();
        await left;
        expect(ended.slice(-1)).toEqual(["left"]);
        expect(ended).toContain("gone");

        let isSettled = false;
        void run.session.settled.then(() => (isSettled = true));
        await until(() => isSettled);
        expect(await run.outbox.deliverAll()).toHaveLength(1); // held: its trace is still being written
        await link(part, `${part}.reader`);
        await rm(part);
        await writeFile(part, "as written");
        createReadStream(`${part}.reader`).resume();
        await vi.waitFor(async () => expect(await run.outbox.deliverAll()).toEqual([]), 30_000);
        const manifest = await run.volume.manifest(run.fence.run_id);
        expect(manifest?.state).toBe("ready");
        expect(manifest?.artifacts.map(({ name }) => name)).toContain("trace.zip");
      } finally {
        vi.useRealTimers();
      }
    });

    it("tells the log all, and the client what the system said, but no folder, where a recording could not be written", async () => {
      const told: unknown[] = [];
      const log: Log = { ...quiet, with: () => log, warn: (_message, more) => void told.push(more?.error) };
      const createCDPSession = () => {
        run.session.stop(new AppError("RUN_TERMINATED", "Enough"));
        return new Promise(() => {});
      };
      const lease = {
        lost: new AbortController().signal,
        egress: { attach: () => {} },
        version: "1",
        page: { createCDPSession },
        kill: () => {},
        [Symbol.asyncDispose]: async () => {},
      };
      const browsers = {
        lease: async (runId: string) => {
          await mkdir(join(run.root, "work", runId, "trace.zip.part")); // a file of this name cannot be written
          return lease;
        },
      } as unknown as SessionDeps["browsers"];
      const steps = [{ action: "goto", params: { url: "http://example.test/" } }];
      const playbook = PlaybookSchema.parse({ id: "p", steps });
      const run = await sessionOn(opened(), { browsers, log, policyOf: () => ({}) as never }, { playbook });
      await using _run = run;
      await run.session.run();
      await run.session.settled;
      expect(told).toContainEqual(expect.objectContaining({ cause: expect.objectContaining({ code: "EISDIR" }) }));
      const warnings = JSON.stringify(run.session.toRun().warnings);
      expect(warnings).toContain("trace.zip could not be written: EISDIR");
      expect(warnings).not.toContain(run.root);
    });
  },
  ["embedded"],
);
