/** puppeteer-cluster: a library for one process, without a server, a queue that lasts or limits on what a page reaches. */
import { once } from "node:events";
import type { Answer, Ask } from "./cluster-host.ts";
import type { Contender, Timing } from "./contender.ts";
import { startPeer } from "./peer-process.ts";

/** `size`: how many sessions at once. At its first it starts as many Chromes (BROWSER), and keeps them. */
export async function openCluster(folder: string, concurrency: "BROWSER" | "CONTEXT", url: string, size = 2): Promise<Contender> {
  await using opened = new AsyncDisposableStack();
  const peer = opened.use(await startPeer("cluster-host.ts", { args: [folder, concurrency, url, String(size)], cwd: folder }));
  await peer.whileAlive(once(peer.child, "message"));
  const waiting = new Map<number, (answer: Exclude<Answer, "ready">) => void>();
  peer.child.on("message", (answer: Exclude<Answer, "ready">) => waiting.get(answer.id)?.(answer));
  let lastId = 0;
  const hear = (id: number): Promise<Timing> => {
    const heard = new Promise<Timing>((resolve, reject) => {
      waiting.set(id, (answer) => ("error" in answer ? reject(new Error(answer.error)) : resolve(answer)));
    });
    return peer.whileAlive(heard);
  };
  const ask = (hold: boolean) => {
    const id = ++lastId;
    const heard = hear(id);
    peer.child.send({ id, hold } satisfies Ask);
    return { id, heard };
  };
  const kept = opened.move();
  return {
    name: `puppeteer-cluster, ${concurrency}`,
    processes: () => ({ own: [peer.pid], browsers: [] }),
    session: () => ask(false).heard,
    async hold() {
      const { id, heard } = ask(true);
      await heard;
      return {
        async [Symbol.asyncDispose]() {
          const over = hear(id);
          peer.child.send({ id, release: true } satisfies Ask);
          await over;
        },
      };
    },
    rest: async () => {}, // it tells of an end when all is over
    sized: (sessions) => openCluster(folder, concurrency, url, sessions),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
