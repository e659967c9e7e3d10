/** What a runtime must provide: one TCP or TLS connection, read by whoever wants the next bytes. Node and Deno have each their own. */

export type Connection = {
  /** The next bytes as soon as there are some; null at the peer's clean end. One read at a time: nothing is read ahead, so a slow reader slows the peer. Rejects when the connection breaks or was closed here. */
  read(): Promise<Uint8Array | null>;
  /** Hands bytes over. Does not wait; a failure shows at the read that follows. */
  write(bytes: Uint8Array): void;
  /** At once, whatever is under way. A pending read settles. */
  close(): void;
};

export type Address = { hostname: string; port: number; tls: boolean };

/** Opens a connection, or rejects: refused, unknown host, the signal's abort. */
export type Connect = (to: Address, signal: AbortSignal) => Promise<Connection>;
