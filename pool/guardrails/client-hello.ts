/** Reads the server name out of a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3), without trusting a single length in it. */

/** `more`: not all of it has arrived. `name` null: it has none. */
export type ClientHello = "not_tls" | "more" | { name: string | null };

const MAX_BYTES = 65_536;

export function readClientHello(bytes: Buffer): ClientHello {
  if (bytes.length === 0) return "more";
  if (bytes[0] !== 22) return "not_tls";
  const hello = handshake(bytes);
  if (typeof hello === "string") return hello;
  try {
    return { name: serverName(hello) };
  } catch (error) {
    if (error instanceof RangeError) return "not_tls"; // a length that leads out of the message
    throw error;
  }
}

/** The first handshake message, put together from its records; a client may split it. */
function handshake(bytes: Buffer): Buffer | "more" | "not_tls" {
  const parts: Buffer[] = [];
  let have = 0;
  for (let at = 0; at < MAX_BYTES; ) {
    if (bytes.length < at + 5) return "more";
    if (bytes[at] !== 22 || bytes[at + 1] !== 3) return "not_tls";
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 16_384) return "not_tls";
    if (bytes.length < at + 5 + length) return "more";
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    have += length;
    at += 5 + length;
    if (have < 4) continue;
    const message = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
    if (message[0] !== 1) return "not_tls";
    const total = 4 + message.readUIntBE(1, 3);
    if (total > MAX_BYTES) return "not_tls";
    if (have >= total) return message.subarray(4, total);
  }
  return "not_tls";
}

/** @throws RangeError for a message that is cut short */
function serverName(hello: Buffer): string | null {
  let at = 2 + 32; // version, random
  at += 1 + hello.readUInt8(at); // session id
  at += 2 + hello.readUInt16BE(at); // cipher suites
  at += 1 + hello.readUInt8(at); // compression methods
  if (at === hello.length) return null;
  const end = at + 2 + hello.readUInt16BE(at);
  if (end > hello.length) throw new RangeError("Extensions are longer than their message");
  let name: string | null = null;
  for (at += 2; at < end; ) {
    const type = hello.readUInt16BE(at);
    const length = hello.readUInt16BE(at + 2);
    at += 4;
    if (at + length > end) throw new RangeError("An extension is longer than its list");
    if (type === 0) {
      if (name !== null) throw new RangeError("Two server names"); // which one would the server take?
      name = onlyName(hello.subarray(at, at + length));
    }
    at += length;
  }
  return name;
}

/** A list of exactly one host name: servers differ in which of several they take. */
function onlyName(extension: Buffer): string {
  const length = extension.readUInt16BE(3);
  if (extension.readUInt16BE(0) !== extension.length - 2 || extension.readUInt8(2) !== 0 || length !== extension.length - 5) {
    throw new RangeError("Expected one host name");
  }
  return extension.toString("latin1", 5);
}
