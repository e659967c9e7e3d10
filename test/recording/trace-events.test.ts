import fc from "fast-check";
import type { Protocol } from "puppeteer-core";
import { describe, expect, it } from "vitest";
import { createClean } from "../../pool/recording/clean.ts";
import { openEntry, plainUrl } from "../../pool/recording/har.ts";
import { withoutElided } from "../../pool/recording/page-events.ts";
import { type TraceEvent, TraceEventSchema, TraceOrder, toLine } from "../../pool/recording/trace-events.ts";
import { ANY_CHARACTER } from "../support/arbitraries.ts";

const asIs = (text: string) => text;
const context: TraceEvent = {
  type: "context-options",
  version: 8,
  origin: "library",
  browserName: "chromium",
  platform: "linux",
  playwrightVersion: "1.53.0",
  title: "A run",
  wallTime: 1,
  monotonicTime: 1,
  sdkLanguage: "javascript",
  options: { viewport: { width: 1, height: 1 }, deviceScaleFactor: 1, isMobile: false },
};
const begin = (callId: string, parentId?: string): TraceEvent => ({
  type: "before",
  callId,
  startTime: 5,
  class: "Frame",
  method: "click",
  params: { selector: "#a" },
  parentId,
  pageId: "page@1",
});
const end = (callId: string): TraceEvent => ({ type: "after", callId, endTime: 9 });

describe("what Chrome says", () => {
  it("is told without addresses that it shows without their middle, in a time that grows as the text does", () => {
    const elided = `http://a.test/${"k".repeat(497)}...${"k".repeat(510)}`;
    expect(withoutElided(`Failed to load '${elided}': gone... or not`)).toBe("Failed to load … gone... or not");
    const began = process.cpuUsage();
    for (const text of ["A".repeat(2e6), ".".repeat(2e6), "a ".repeat(1e6)]) withoutElided(text);
    expect(process.cpuUsage(began).user / 1e6).toBeLessThan(5); // seconds, and hours were it quadratic
  });
});

describe("a line of a trace", () => {
  it.each([
    ["a number that JSON cannot carry", { ...begin("call@1"), startTime: Number.NaN }],
    ["a message without a place", { type: "console", time: 1, messageType: "log", text: "hi", args: [] }],
    ["a call without a name", { ...begin("") }],
    ["a page whose name viewers would not find", { ...begin("call@1"), pageId: "page@ABC" }],
    ["a blob outside the resources", { type: "screencast-frame", pageId: "page@1", sha1: "../a.jpeg", width: 1, height: 1, timestamp: 1 }],
    ["a picture without a size", { type: "screencast-frame", pageId: "page@1", sha1: "a.jpeg", width: 0, height: 1, timestamp: 1 }],
    ["another version", { ...context, version: 10 }],
    ["an unknown kind", { type: "resource-snapshot", snapshot: {} }],
    ["an unknown field", { ...end("call@1"), aftersnapshot: "a" }],
    ["a value that JSON cannot carry", { ...begin("call@1"), params: { n: 1n } }],
  ])("is refused when it is %s", (_, event) => {
    expect(() => toLine(event as TraceEvent, asIs)).toThrow();
  });

  it("is one line of JSON and the same event again, whatever texts are in it", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: ANY_CHARACTER }),
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
        (text, params) => {
          const event: TraceEvent = { ...begin("call@1"), title: text, params } as TraceEvent;
          const line = toLine(event, asIs);
          expect(line.indexOf("\n")).toBe(line.length - 1);
          const read = TraceEventSchema.parse(JSON.parse(line));
          expect(read).toMatchObject({ type: "before", title: text.toWellFormed() });
        },
      ),
    );
  });

  it("keeps what the viewer needs when a secret happens to be one of its words", () => {
    const words = [
      "before",
      "type",
      "library",
      "chromium",
      "Frame",
      "click",
      "call@1",
      "page@1",
      "javascript",
      "a.jpeg",
      "url",
      "x",
      "Error",
      "1",
      "linux",
    ];
    const events: TraceEvent[] = [
      context,
      begin("call@1"),
      { type: "input", callId: "call@1", point: { x: 1, y: 1 } },
      {
        type: "console",
        time: 1,
        pageId: "page@1",
        messageType: "error",
        text: "x",
        args: [{ preview: "x", value: null }],
        location: { url: "x", lineNumber: 1, columnNumber: 1 },
      },
      { type: "screencast-frame", pageId: "page@1", sha1: "a.jpeg", width: 1, height: 1, timestamp: 1 },
      {
        type: "after",
        callId: "call@1",
        endTime: 1,
        error: { name: "Error", message: "x" },
      },
    ];
    fc.assert(
      fc.property(fc.subarray(words, { minLength: 1 }), (secrets) => {
        const mask = (text: string) => secrets.reduce((masked, secret) => masked.replaceAll(secret, "[redacted]"), text);
        const order = new TraceOrder();
        for (const event of events)
          expect(order.admit(TraceEventSchema.parse(JSON.parse(toLine(event, createClean(mask, 100)))))).toBe(true);
      }),
    );
  });

  it("masks the words of a page wherever they stand, as in the method of a request", () => {
    const clean = createClean((text) => text.replaceAll("hunter2", "[redacted]"), 100);
    const url = plainUrl("https://a.test/") as URL;
    const event = { requestId: "1", wallTime: 1, request: { method: "hunter2", headers: {} } } as Protocol.Network.RequestWillBeSentEvent;
    const line = toLine({ type: "resource-snapshot", snapshot: openEntry(event, url, "page@1", 1) }, clean);
    expect(line).toContain('"method":"[redacted]"');
    const params = { method: "hunter2", class: "hunter2", type: "hunter2", file: "hunter2" };
    expect(toLine({ ...begin("call@1"), params } as TraceEvent, clean)).not.toContain("hunter2");
  });

  it("tells a query as it was meant, and what is not UTF-8 as it stands, so that a secret in it is known for one", () => {
    const url = new URL("https://a.test/?a=1+2&b=%C3%BC&p=w%F6rt&=x&c&d=e=f");
    const event = { requestId: "1", wallTime: 1, request: { method: "GET", headers: {} } } as Protocol.Network.RequestWillBeSentEvent;
    expect(openEntry(event, url, "page@1", 1).request.queryString.map(({ name, value }) => [name, value])).toEqual([
      ...[
        ["a", "1 2"],
        ["b", "ü"],
        ["p", "w%F6rt"],
        ["", "x"],
        ["c", ""],
        ["d", "e=f"],
      ],
    ]);
  });

  it("masks before it cuts, also the names of parameters", () => {
    const clean = createClean((text) => text.replaceAll("hunter2", "[redacted]"), 20);
    const line = toLine({ ...begin("call@1"), title: `${"a".repeat(17)}hunter2`, params: { hunter2: ["hunter2"] } } as TraceEvent, clean);
    expect(line).not.toContain("hun");
    expect(JSON.parse(line)).toMatchObject({ title: `${"a".repeat(17)}[re… (27 characters)`, params: { "[redacted]": ["[redacted]"] } });
  });

  it("leaves out a text too long to be searched for secrets", () => {
    expect(createClean(asIs, 100)("a".repeat(2_000_000))).toBe("… (2000000 characters left out)");
  });
});

describe("the order of a trace's lines", () => {
  const orderOf = (...events: TraceEvent[]) => {
    const order = new TraceOrder();
    return { order, admitted: events.map((event) => order.admit(event)) };
  };

  it("has the context first, and once", () => {
    expect(orderOf(begin("call@1"), context, context).admitted).toEqual([false, true, false]);
  });

  it("has no part of a call that has not begun, or is over, nor a call twice", () => {
    const input: TraceEvent = { type: "input", callId: "call@1" };
    const { admitted } = orderOf(
      context,
      input,
      end("call@1"),
      begin("call@1"),
      input,
      begin("call@1"),
      end("call@1"),
      end("call@1"),
      input,
    );
    expect(admitted).toEqual([true, false, false, true, true, false, true, false, false]);
  });

  it("ends what is open from the inside out, groups without an error", () => {
    const group = { ...begin("step@1"), class: "Tracing", method: "tracingGroup" } as TraceEvent;
    const { order } = orderOf(context, group, begin("call@1", "step@1"), begin("call@2", "step@1"), end("call@1"));
    expect(order.closing("It broke off")).toEqual([
      { type: "after", callId: "call@2", endTime: 9, error: { name: "Error", message: "It broke off" } },
      { type: "after", callId: "step@1", endTime: 9 },
    ]);
  });
});
