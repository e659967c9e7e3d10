import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { framingOf, headEnd, parseHead } from "../../../edge/wire/head.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const garbage = expect.objectContaining({ code: "POOL_UNREACHABLE", details: { reason: "garbage" } });

describe("headEnd", () => {
  it("is behind the first blank line", () => {
    expect(headEnd(bytes("HTTP/1.1 200 OK\r\n\r\nbody\r\n\r\n"))).toBe(19);
    expect(headEnd(bytes("HTTP/1.1 200 OK\r\na: b\r\n\r"))).toBe(-1);
    expect(headEnd(bytes("\r\n"))).toBe(-1);
  });
});

describe("parseHead", () => {
  it("reads status and fields, names in lower case, repeated ones joined", () => {
    const { status, field, keepAlive } = parseHead(
      bytes("HTTP/1.1 404 Not Found\r\nContent-Type:  text/plain \r\nVary: a\r\nvary: b\r\nX:\r\nNot-Vary: c\r\n\r\n"),
    );
    expect([status, keepAlive]).toEqual([404, true]);
    expect(["content-type", "vary", "x", "y"].map(field)).toEqual(["text/plain", "a, b", "", undefined]);
  });

  it("keeps no connection that the peer will close", () => {
    expect(parseHead(bytes("HTTP/1.0 200 OK\r\n\r\n")).keepAlive).toBe(false);
    expect(parseHead(bytes("HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n")).keepAlive).toBe(false);
  });

  it.each([
    "HTTP/2 200 OK",
    "HTTP/1.1 20 OK",
    "HTTP/1.1 999 OK",
    "220 smtp.example.org",
    "",
    "HTTP/1.1 200 OK\r\nno colon",
    "HTTP/1.1 200 OK\r\nx y: z",
    "HTTP/1.1 200 OK\r\n folded: line",
    "HTTP/1.1 200 OK\r\n: nameless",
    "HTTP/1.1 200 OK\r\nx: \u0130",
    "HTTP/1.1 200 OK\r\nx: a\rb",
  ])("refuses %j", (text) => {
    expect(() => parseHead(bytes(`${text}\r\n\r\n`))).toThrow(garbage);
  });

  it("either reads or refuses, whatever comes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const head = new Uint8Array([...bytes("HTTP/1.1 200 OK\r\n"), ...noise, ...bytes("\r\n\r\n")]);
        try {
          expect(parseHead(head).status).toBe(200);
        } catch (error) {
          expect(error).toEqual(garbage);
        }
      }),
    );
  });
});

describe("framingOf", () => {
  const framing = (fields: string, method = "GET", status = 200) =>
    framingOf(method, parseHead(bytes(`HTTP/1.1 ${status} X\r\n${fields}\r\n\r\n`)));

  it("follows the fields", () => {
    expect(framing("Content-Length: 12")).toEqual({ kind: "length", bytes: 12 });
    expect(framing("Transfer-Encoding: Chunked")).toEqual({ kind: "chunked" });
    expect(framing("X: y")).toEqual({ kind: "close" });
  });

  it("knows which answers have no body", () => {
    expect(framing("Content-Length: 12", "HEAD")).toEqual({ kind: "none" });
    for (const status of [204, 304]) expect(framing("Content-Length: 12", "GET", status)).toEqual({ kind: "none" });
  });

  it.each([
    "Content-Length: 12\r\nTransfer-Encoding: chunked",
    "Content-Length: 12\r\nContent-Length: 13",
    "Content-Length: 12, 12",
    "Content-Length: -1",
    "Content-Length: 0x10",
    "Transfer-Encoding: gzip, chunked",
  ])("refuses what could be read in two ways: %j", (fields) => {
    expect(() => framing(fields)).toThrow(garbage);
  });
});
