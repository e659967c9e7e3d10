/** The wire between `pg`, which speaks Postgres' protocol, and PGlite, which answers it in this process: what a socket is to a server. */
import { Duplex } from "node:stream";
import type { PGlite } from "@electric-sql/pglite";

/** What `pg` calls a socket with, and waits for. */
type Socket = Duplex & { connect(): void; setNoDelay(): void; setKeepAlive(): void };

export function openWire(database: PGlite): Socket {
  const ask = (messages: Buffer, callback: (error?: Error | null) => void) => {
    if (database.closed) return callback(new Error("The store is closed"));
    const answers: Uint8Array[] = []; // each is a view of memory that the next answer is written to
    database.execProtocolRawStream(messages, { onRawData: (bytes) => answers.push(bytes.slice()) }).then(() => {
      for (const each of answers) wire.push(each);
      callback();
    }, callback);
  };
  const wire = new Duplex({
    read() {}, // an answer comes when it is there
    write: (message: Buffer, _encoding, callback) => ask(message, callback),
    writev: (chunks, callback) => ask(Buffer.concat(chunks.map(({ chunk }) => chunk)), callback), // what `pg` corks: all messages of a statement
  });
  return Object.assign(wire, { connect: () => void setImmediate(() => wire.emit("connect")), setNoDelay() {}, setKeepAlive() {} });
}
