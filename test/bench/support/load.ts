/** A load generator on bare sockets, the same for everything that is measured. A process of its own: `node load.ts '<plan as JSON>'` prints its outcome as JSON. */
import { connect, type Socket } from "node:net";

export type ReadsPlan = {
  kind: "reads";
  port: number;
  path: string;
  headers: Record<string, string>;
  connections: number;
  seconds: number;
};
export type BytesPlan = {
  kind: "bytes";
  port: number;
  path: string;
  headers: Record<string, string>;
  /** Each reads all as fast as it can. */
  clients: number;
  /** Beside them, one that takes so many bytes a second, and is left when the others have ended. */
  slowBytesPerSecond: number | null;
  /** The least that each must get. */
  bytes: number;
};
export type ReadsOutcome = { requestsPerSecond: number; medianMs: number; p99Ms: number };
export type BytesOutcome = { megabytesPerSecond: number };

const head = ({ path, headers }: { path: string; headers: Record<string, string> }, close: boolean): string =>
  `GET ${path} HTTP/1.1\r\nHost: bench\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}${close ? "Connection: close\r\n" : ""}\r\n`;

async function reads(plan: ReadsPlan): Promise<ReadsOutcome> {
  const request = Buffer.from(head(plan, false));
  const took: number[] = [];
  let counting = false;
  let stopped = false;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(plan.port, "127.0.0.1");
      socket.setNoDelay(true);
      let left = -1; // bytes of the answer still to come; -1: its head has not come
      let sentAt = 0;
      const send = () => {
        if (stopped) return void socket.destroy();
        left = -1;
        sentAt = performance.now();
        socket.write(request);
      };
      socket.on("connect", send);
      socket.on("data", (chunk) => {
        if (left < 0) {
          const text = chunk.toString("latin1", 0, 2048); // an answer's head comes in one piece
          const end = text.indexOf("\r\n\r\n");
          const length = /content-length: *(\d+)/i.exec(text);
          if (!text.startsWith("HTTP/1.1 200") || end < 0 || !length)
            return void socket.destroy(new Error(`Not an answer to measure: ${text.slice(0, 300)}`));
          left = Number(length[1]) + end + 4;
        }
        left -= chunk.length;
        if (left > 0) return;
        if (counting) took.push(performance.now() - sentAt);
        send();
      });
      socket.on("error", reject);
      socket.on("close", () => (stopped ? resolve() : reject(new Error("The server closed the connection"))));
    });
  const all = Promise.all(Array.from({ length: plan.connections }, one));
  setTimeout(() => {
    counting = true;
    setTimeout(() => {
      stopped = true;
    }, plan.seconds * 1000);
  }, 500); // the first half second warms up
  await all;
  took.sort((a, b) => a - b);
  const at = (share: number) => took[Math.floor(took.length * share)] ?? Number.NaN;
  return { requestsPerSecond: took.length / plan.seconds, medianMs: at(0.5), p99Ms: at(0.99) };
}

async function bytes(plan: BytesPlan): Promise<BytesOutcome> {
  const request = head(plan, true);
  const buffer = Buffer.alloc(512 * 1024);
  const slow = plan.slowBytesPerSecond === null ? null : slowReader(plan.port, request, plan.slowBytesPerSecond);
  const startedAt = performance.now();
  const got = await Promise.all(
    Array.from(
      { length: plan.clients },
      () =>
        new Promise<number>((resolve, reject) => {
          let received = 0;
          const onread = {
            buffer,
            callback: (count: number) => {
              received += count;
              return true;
            },
          };
          const socket = connect({ port: plan.port, host: "127.0.0.1", onread });
          socket.write(request);
          socket.on("error", reject);
          socket.on("close", () => resolve(received));
        }),
    ),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  slow?.destroy();
  const short = got.find((count) => count < plan.bytes);
  if (short !== undefined) throw new Error(`A client got ${short} of ${plan.bytes} bytes`);
  return { megabytesPerSecond: (plan.bytes * plan.clients) / 1e6 / seconds };
}

function slowReader(port: number, request: string, bytesPerSecond: number): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.write(request);
  socket.on("error", () => {}); // it is left in the middle
  let allowance = 0;
  const timer = setInterval(() => {
    allowance += bytesPerSecond / 20;
    if (allowance > 0) socket.resume();
  }, 50);
  socket.on("data", (chunk) => {
    allowance -= chunk.length;
    if (allowance <= 0) socket.pause();
  });
  socket.on("close", () => clearInterval(timer));
  return socket;
}

if (import.meta.main) {
  const plan = JSON.parse(process.argv[2] as string) as ReadsPlan | BytesPlan;
  console.log(JSON.stringify(plan.kind === "reads" ? await reads(plan) : await bytes(plan)));
}
