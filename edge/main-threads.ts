/**
 * An edge on more than one core: threads, each a whole edge with an event loop and caches of its own, on one port that the kernel shares out among
 * them (SO_REUSEPORT). All they have to tell each other goes over a BroadcastChannel, which Node and Deno both have.
 */
import process from "node:process";
import type { Counts, Peers } from "./metrics.ts";

type Message =
  | { type: "up" | "stop" | "down" }
  | { type: "counts?"; question: string }
  | { type: "counts"; question: string; counts: Counts };

export type Threads = {
  peers: Peers;
  /** Starts the others, at the port where this one listens. Resolves when they listen too. */
  startOthers(port: number): Promise<void>;
  /** Tells the others to drain. Resolves when they have, or the time is over. */
  stopOthers(limitMs: number): Promise<void>;
  /** For one of the others: says that it listens, and resolves when it shall stop. */
  untilStopped(): Promise<void>;
  sayStopped(): void;
};

const START_LIMIT_MS = 30_000;
const COUNTS_LIMIT_MS = 500; // a thread that is busier than that is left out this once

/** This thread's line to the others of `total`. */
export function joinThreads(total: number): Threads {
  const others = total - 1;
  const channel = new BroadcastChannel("understudy-edge");
  const listeners = new Set<(message: Message) => void>();
  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    for (const listener of listeners) listener(data);
  };
  const say = (message: Message) => channel.postMessage(message);

  /** The messages that are it, once there are `count` of them or the time is over. */
  const hear = (count: number, isIt: (message: Message) => boolean, limitMs?: number): Promise<Message[]> =>
    new Promise((resolve) => {
      const heard: Message[] = [];
      const finish = () => {
        clearTimeout(timer);
        listeners.delete(listener);
        resolve(heard);
      };
      const listener = (message: Message) => {
        if (isIt(message) && heard.push(message) === count) finish();
      };
      const timer = limitMs === undefined ? undefined : setTimeout(finish, limitMs);
      listeners.add(listener);
    });

  return {
    peers: {
      answer(own) {
        listeners.add((message) => {
          if (message.type === "counts?") say({ type: "counts", question: message.question, counts: own() });
        });
      },
      async ask() {
        const question = crypto.randomUUID();
        const heard = hear(others, (message) => message.type === "counts" && message.question === question, COUNTS_LIMIT_MS);
        say({ type: "counts?", question });
        return (await heard).flatMap((message) => (message.type === "counts" ? [message.counts] : []));
      },
    },
    async startOthers(port) {
      process.env.EDGE_PORT = String(port); // they read the same environment
      const up = hear(others, ({ type }) => type === "up", START_LIMIT_MS);
      for (let i = 0; i < others; i++) await startThread();
      if ((await up).length < others) throw new Error("The edge cannot start: its threads did not");
    },
    async stopOthers(limitMs) {
      const down = hear(others, ({ type }) => type === "down", limitMs);
      say({ type: "stop" });
      await down;
    },
    async untilStopped() {
      const stop = hear(1, ({ type }) => type === "stop");
      say({ type: "up" });
      await stop;
    },
    sayStopped: () => say({ type: "down" }),
  };
}

/** An error in a thread that nobody catches ends the process, on both runtimes. */
async function startThread(): Promise<void> {
  const file = new URL("./main-thread.ts", import.meta.url);
  if ("Worker" in globalThis) new Worker(file, { type: "module" });
  else new (await import("node:worker_threads")).Worker(file);
}
