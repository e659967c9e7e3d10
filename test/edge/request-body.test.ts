import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseBody, readBody } from "../../edge/request-body.ts";
import { CreateRunSchema } from "../../shared/run.ts";

const request = (body: BodyInit, headers: Record<string, string> = {}) =>
  new Request("http://edge/runs", {
    method: "POST",
    body,
    headers: { "Content-Type": "application/json", ...headers },
    duplex: "half",
  } as RequestInit);
const stream = (chunks: Uint8Array[], then: (controller: ReadableStreamDefaultController) => void = (controller) => controller.close()) =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      then(controller);
    },
  });
const refused = (message: string) =>
  expect.objectContaining({ code: "VALIDATION_FAILED", details: { issues: [expect.objectContaining({ path: "", message })] } });

describe("the body of a request", () => {
  it("is the text that was sent, wherever its bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme" }), fc.array(fc.nat(40)), async (text, cuts) => {
        const bytes = new TextEncoder().encode(text);
        const edges = [0, ...cuts.filter((at) => at < bytes.length).toSorted((a, b) => a - b), bytes.length];
        const chunks = edges.slice(1).map((end, i) => bytes.slice(edges[i], end));
        expect(await readBody(request(stream(chunks)), 1_000_000)).toBe(text.replace(/^\uFEFF/, ""));
      }),
    );
  });

  it("is refused when it is not UTF-8, rather than guessed at", async () => {
    await expect(readBody(request(new Uint8Array([0x22, 0xff, 0xfe, 0x22])), 100)).rejects.toEqual(refused("Expected UTF-8"));
  });

  it("names nothing __proto__, which would be left out without a word", () => {
    for (const map of ["labels", "params", "credentials"])
      expect(() => parseBody(CreateRunSchema, `{"directive": "x", "${map}": {"a": "b", "__proto__": "c"}}`)).toThrow(
        expect.objectContaining({
          code: "VALIDATION_FAILED",
          details: { issues: [expect.objectContaining({ path: `${map}.__proto__` })] },
        }),
      );
    for (const text of ["null", "[]", "1"])
      expect(() => parseBody(CreateRunSchema, text)).toThrow(expect.objectContaining({ code: "VALIDATION_FAILED" }));
  });

  it("that breaks off is the client's fault, not ours", async () => {
    const broken = stream([new Uint8Array([0x7b])], (controller) => controller.error(new TypeError("the runtime's own words")));
    await expect(readBody(request(broken), 100)).rejects.toEqual(refused("It broke off"));
  });

  it("that does not come is not waited for without end", async () => {
    await expect(readBody(request(stream([new Uint8Array([0x7b])], () => {})), 100, 20)).rejects.toEqual(
      refused("It did not come whole within 0.02 s"),
    );
  });

  it("that is larger than its head admits is read no further than the limit", async () => {
    const large = stream([new Uint8Array(60), new Uint8Array(60)], () => {});
    await expect(readBody(request(large), 100)).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE", details: { max_bytes: 100 } });
  });
});
