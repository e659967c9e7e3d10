/** The wire between `pg`, which speaks Postgres' protocol, and PGlite, which answers it in this process: what a socket is to a server. */
import { Duplex } from "node:stream";
import type { PGlite } from "@electric-sql/pglite";

type Chunk = { chunk: Buffer };

export class PgliteWire extends Duplex {
  readonly #database: PGlite;

  constructor(database: PGlite) {
    super();
    this.#database = database;
  }

  /** What `pg` corks goes over at once: all messages of a statement. */
  override _writev(chunks: Chunk[], callback: (error?: Error | null) => void): void {
    const messages = chunks.map(({ chunk }) => chunk);
    this.#database.execProtocolRaw(messages.length === 1 ? (messages[0] as Buffer) : Buffer.concat(messages)).then((answer) => {
      if (answer.byteLength > 0) this.push(answer);
      callback();
    }, callback);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this._writev([{ chunk }], callback);
  }

  override _read(): void {} // an answer comes when it is there

  /** `pg` takes it for a socket. */
  connect(): this {
    setImmediate(() => this.emit("connect"));
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}
