/** A TCP way to a server that a test can break: connections are cut, or new ones refused. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export type Cable = AsyncDisposable & {
  port: number;
  /** Breaks what is open, without a word of farewell. */
  cut(): void;
  /** Cuts, and lets nothing through until `mend`. */
  unplug(): void;
  mend(): void;
};

export async function openCable(target: { port: number; host?: string }): Promise<Cable> {
  const open = new Set<Socket>();
  let isPlugged = true;
  const server = createServer((near) => {
    if (!isPlugged) return void near.resetAndDestroy();
    const far = connect({ host: target.host ?? "127.0.0.1", port: target.port });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket);
      socket.on("error", () => {}); // the close that follows tells the other end
      socket.on("close", () => {
        open.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    unplug() {
      isPlugged = false;
      cut();
    },
    mend() {
      isPlugged = true;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      cut();
      await closed;
    },
  };
}
