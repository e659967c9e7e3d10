/** Connections on Node. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { recycledSlabs } from "./main-node-slabs.ts";
import type { Connect, Connection } from "./wire/connection.ts";
import { createSlab } from "./wire/slab.ts";

/** Reads land in a slab of ours (`onread`): chunks of up to 256 KiB instead of Node's 64, and half the cost a byte. */
export const connectOnNode: Connect = async ({ hostname, port, tls }, signal) => {
  signal.throwIfAborted();
  const slab = createSlab(recycledSlabs);
  let onChunk: (chunk: Uint8Array) => void = () => {};
  const onread = {
    buffer: () => slab.room(),
    callback: (bytes: number) => {
      onChunk(slab.take(bytes));
      return true;
    },
  };
  // Buffers of a TLS socket are OpenSSL's; it reads through ordinary 'data' events
  const socket = tls ? connectTls({ host: hostname, port, servername: hostname }) : connectTcp({ host: hostname, port, onread });
  if (tls) socket.on("data", (chunk: Uint8Array) => onChunk(chunk));
  socket.setNoDelay(true);
  await opened(socket, tls ? "secureConnect" : "connect", signal);
  return connectionOf(socket, (listener) => {
    onChunk = listener;
  });
};

function opened(socket: Socket, event: "connect" | "secureConnect", signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error("Aborted"));
    const settled = () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
    };
    const onError = (error: Error) => {
      settled();
      reject(error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", onError);
    socket.once(event, () => {
      settled();
      resolve();
    });
  });
}

type Waiting = { resolve(chunk: Uint8Array | null): void; reject(error: Error): void };

function connectionOf(socket: Socket, onChunk: (listener: (chunk: Uint8Array) => void) => void): Connection {
  let waiting: Waiting | null = null;
  let ready: Uint8Array | null = null; // one chunk that came while nobody waited; reading stands still until it is taken
  let ended = false;
  let failure: Error | null = null;

  onChunk((chunk) => {
    if (waiting) {
      const { resolve } = waiting;
      waiting = null;
      return resolve(chunk); // reading goes on: most answers are one chunk, and stopping costs a system call
    }
    socket.pause();
    ready = ready === null ? chunk : Buffer.concat([ready, chunk]);
  });
  const end = (error: Error | null) => {
    if (error) failure ??= error;
    else ended = true;
    const waiter = waiting;
    waiting = null;
    if (error) waiter?.reject(error);
    else waiter?.resolve(null);
  };
  socket.on("error", (error) => end(error));
  socket.on("end", () => end(null));
  socket.on("close", () => {
    if (!ended) end(failure ?? new Error("The connection was closed"));
  });

  return {
    read() {
      if (ready !== null) {
        const chunk = ready;
        ready = null;
        return Promise.resolve(chunk);
      }
      if (failure) return Promise.reject(failure);
      if (ended) return Promise.resolve(null);
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.resume();
      });
    },
    write(bytes) {
      if (!socket.destroyed) socket.write(bytes);
    },
    close() {
      socket.destroy();
    },
  };
}
