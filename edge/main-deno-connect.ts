/** Connections on Deno. */
import type { Connect, Connection } from "./wire/connection.ts";
import { createSlab } from "./wire/slab.ts";

/** What we use of Deno's own API; its types are not among ours. */
export type DenoConn = {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
  setNoDelay?(on: boolean): void;
};
export type DenoConnector = {
  connect(options: { hostname: string; port: number; signal?: AbortSignal }): Promise<DenoConn>;
  connectTls(options: { hostname: string; port: number }): Promise<DenoConn>;
};

export const connectOnDeno =
  (deno: DenoConnector): Connect =>
  async ({ hostname, port, tls }, signal) => {
    signal.throwIfAborted();
    const opening = tls ? deno.connectTls({ hostname, port }) : deno.connect({ hostname, port });
    const onAbort = () => void opening.then((conn) => conn.close()).catch(() => {}); // nobody waits for it any more
    signal.addEventListener("abort", onAbort, { once: true });
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    try {
      const conn = await Promise.race([opening, aborted]);
      conn.setNoDelay?.(true);
      return connectionOf(conn);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  };

function connectionOf(conn: DenoConn): Connection {
  const slab = createSlab();
  let closed = false;
  let writing: Promise<void> = Promise.resolve();
  const close = () => {
    if (closed) return;
    closed = true;
    conn.close(); // a pending read rejects
  };
  return {
    async read() {
      const bytes = await conn.read(slab.room());
      return bytes === null ? null : slab.take(bytes);
    },
    write(bytes) {
      writing = writing.then(() => writeAll(conn, bytes)).catch(close);
    },
    close,
  };
}

async function writeAll(conn: DenoConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.byteLength; ) sent += await conn.write(bytes.subarray(sent));
}
