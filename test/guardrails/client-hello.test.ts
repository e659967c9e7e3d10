import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readClientHello } from "../../pool/guardrails/client-hello.ts";
import { clientHello } from "./lab.ts";

/** The same handshake in several records. */
function split(record: Buffer, ...sizes: number[]): Buffer {
  let rest = record.subarray(5);
  const parts = [...sizes, rest.length].map((size) => {
    const part = rest.subarray(0, size);
    rest = rest.subarray(part.length);
    return part;
  });
  return Buffer.concat(
    parts.filter((part) => part.length > 0).flatMap((part) => [Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]),
  );
}

describe("readClientHello", async () => {
  const hello = await clientHello("good.test");

  it("finds the server name that a TLS client sends", async () => {
    expect(readClientHello(hello)).toEqual({ name: "good.test" });
    expect(readClientHello(await clientHello(undefined))).toEqual({ name: null });
  });

  it("waits for all of it, however it is cut", () => {
    for (let length = 0; length < hello.length; length++) expect(readClientHello(hello.subarray(0, length))).toBe("more");
    expect(readClientHello(Buffer.concat([hello, Buffer.from("early data")]))).toEqual({ name: "good.test" });
  });

  it("puts a handshake together that came in several records", () => {
    expect(readClientHello(split(hello, 1, 2, 30))).toEqual({ name: "good.test" });
    expect(readClientHello(split(hello, 1, 2, 30).subarray(0, 80))).toBe("more");
  });

  it.each([
    ["a web request", "GET / HTTP/1.1\r\n"],
    ["a STUN request", "\u0000\u0001\u0000\u0000!\u0012¤B"],
    ["a TLS alert", "\u0015\u0003\u0001\u0000\u0002\u0002("],
    ["a record of no length", "\u0016\u0003\u0001\u0000\u0000"],
    ["a record of SSL 2", "\u0016\u0002\u0001\u0000\u0005abcde"],
    ["a record longer than any", "\u0016\u0003\u0001ÿÿ"],
    ["another handshake message", "\u0016\u0003\u0001\u0000\u0004\u0002\u0000\u0000\u0000"],
  ])("takes %s for no ClientHello", (_, bytes) => {
    expect(readClientHello(Buffer.from(bytes, "latin1"))).toBe("not_tls");
  });

  it("takes two names, or a name of another length than its field, for no ClientHello", () => {
    const at = hello.indexOf("good.test", 0, "latin1");
    const broken = Buffer.from(hello);
    broken.writeUInt16BE(4, at - 2); // the name's own length: the rest would be a second one
    expect(readClientHello(broken)).toBe("not_tls");
  });

  it("never throws, whatever the bytes, and never waits for ever", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readClientHello(Buffer.from(bytes))),
      { numRuns: 1_000 },
    );
    fc.assert(
      fc.property(fc.nat(hello.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(hello);
        changed[at] = value;
        void readClientHello(changed);
      }),
      { numRuns: 1_000 },
    );
    expect(
      readClientHello(
        Buffer.concat(Array.from({ length: 200 }, () => Buffer.concat([Buffer.from([22, 3, 1, 1, 0]), Buffer.alloc(256, 1)]))),
      ),
    ).toBe("not_tls");
  });
});
