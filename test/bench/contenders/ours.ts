/** This project: an edge and a node with the embedded store, over the public API. */
import { pause } from "../../../shared/deadline.ts";
import { openLogin, waitForever } from "../../support/playbooks.ts";
import type { TestSystem } from "../../support/system.ts";
import { openBenchSystem } from "../support/pool.ts";
import type { Contender, Timing } from "./contender.ts";

/** Room for the sessions that are held, and for one spare beside them. */
const SLOTS = "4";
/** On a busy machine a node launches no spare: after that long a session begins without one. */
const SPARE_LIMIT_MS = 3_000;
const recording = { enabled: false };

/** `rests`: how often it has been waited for, and how often no spare was ready even then. */
export async function openOurs(): Promise<Contender & { system: TestSystem; rests: { all: number; withoutSpare: number } }> {
  const system = await openBenchSystem({ POOL_SLOTS: SLOTS });
  const { writer } = system.as;
  const { url } = system.dashboard;
  const ofNode = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${system.node.url}${path}`, { headers: { Authorization: `Bearer ${system.token}` } });
    return (await response.json()) as T;
  };
  let held = 0;
  const rests = { all: 0, withoutSpare: 0 };
  return {
    system,
    rests,
    name: "ours, a process per run",
    processes: () => ({ own: [system.edge, system.node].map(({ process }) => process.pid as number), browsers: [] }),
    async session() {
      const startedAt = performance.now();
      const since = () => performance.now() - startedAt;
      const { run_id } = await writer.create({ ...openLogin(url), recording });
      const timing: Partial<Timing> = {};
      for await (const { event } of writer.events(run_id)) {
        if (event.type === "status" && event.status === "running") timing.readyMs = since();
        if (event.type === "step" && event.index === 1 && event.state === "completed") timing.readMs = since();
      }
      const { readyMs, readMs } = timing;
      if (readyMs === undefined || readMs === undefined)
        throw new Error(`A run did not complete: ${JSON.stringify(await writer.read(run_id))}`);
      return { readyMs, readMs };
    },
    async hold() {
      const { run_id } = await writer.create({ ...waitForever(url), recording });
      await writer.until(run_id, ({ event }) => event.type === "step" && event.index === 1 && event.state === "started");
      held++;
      return {
        async [Symbol.asyncDispose]() {
          held--;
          await writer.stop(run_id);
        },
      };
    },
    async rest() {
      rests.all++;
      const until = performance.now() + SPARE_LIMIT_MS;
      for (;;) {
        // The node's own word: it counts, where a list of its browsers looks at every process.
        const { browsers } = await ofNode<{ browsers: { warm: number; busy: number } }>("/node");
        if (browsers.warm > 0 && browsers.busy === held) break;
        if (performance.now() > until && browsers.busy === held) {
          rests.withoutSpare++;
          break;
        }
        await pause(50);
      }
      await pause(150); // what was last launched and ended comes to rest
    },
    async spares() {
      const { browsers } = await ofNode<{ browsers: { state: string; pid: number }[] }>("/admin/browsers");
      return browsers.filter(({ state }) => state === "warm" || state === "starting").map(({ pid }) => pid);
    },
    [Symbol.asyncDispose]: () => system[Symbol.asyncDispose](),
  };
}
