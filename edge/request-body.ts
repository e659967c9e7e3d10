/** The body of a request → text, within the limits; and text → a checked value. */
import type { z } from "zod";
import { AppError, toIssues, validationFailed } from "../shared/errors.ts";

/** A client that sends less than its body in this time is not going to. */
const BODY_LIMIT_MS = 30_000;

/** @throws UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE; VALIDATION_FAILED for one that does not come whole, or is not UTF-8 */
export async function readBody(request: Request, maxBytes: number, limitMs = BODY_LIMIT_MS): Promise<string> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/(?:[a-z0-9.+-]+\+)?json *(?:;|$)/i.test(type)) {
    throw new AppError("UNSUPPORTED_MEDIA_TYPE", "Send the body as Content-Type: application/json");
  }
  const coding = request.headers.get("content-encoding");
  if (coding !== null && coding !== "identity") throw new AppError("UNSUPPORTED_MEDIA_TYPE", "Send the body without Content-Encoding");
  return readText(request, maxBytes, limitMs);
}

/** For a route that takes none: `{}`, which some clients always send, says nothing; anything else would go unheard. @throws as readBody does */
export async function refuseBody(request: Request, maxBytes: number): Promise<void> {
  const text = await readText(request, maxBytes, BODY_LIMIT_MS);
  if (!/^\s*(?:\{\s*\}\s*)?$/.test(text)) throw malformed("This route takes no body");
}

async function readText(request: Request, maxBytes: number, limitMs: number): Promise<string> {
  refuseLarge(request, maxBytes);
  const bytes = await inTime(readCounted(request, maxBytes), limitMs);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw malformed("Expected UTF-8");
  }
}

const malformed = (message: string): AppError => validationFailed("The request body", [{ path: "", message }]);

async function inTime<T>(reading: Promise<T>, limitMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(malformed(`It did not come whole within ${limitMs / 1000} s`)), limitMs);
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** By what the request says of itself, before a byte is read. @throws PAYLOAD_TOO_LARGE */
function refuseLarge(request: Request, maxBytes: number): void {
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) > maxBytes) throw tooLarge(maxBytes);
}

/** Most bodies are one chunk. A client that leaves in the middle makes the runtime's reader throw, each with an error of its own. */
async function readCounted(request: Request, maxBytes: number): Promise<Uint8Array> {
  const reader = request.body?.getReader();
  if (!reader) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw malformed("It broke off");
    });
    if (done) break;
    bytes += value.byteLength;
    if (bytes > maxBytes) {
      reader.cancel().catch(() => {}); // its failure changes nothing: the answer is 413
      throw tooLarge(maxBytes);
    }
    chunks.push(value);
  }
  if (chunks.length === 1) return chunks[0] as Uint8Array;
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}

const tooLarge = (maxBytes: number): AppError =>
  new AppError("PAYLOAD_TOO_LARGE", `The request body is larger than ${maxBytes} bytes`, { details: { max_bytes: maxBytes } });

/** @throws VALIDATION_FAILED */
export function parseBody<T>(schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const message = text.trim() === "" ? "Expected JSON, got nothing" : `Expected JSON${placeOf(cause)}`;
    throw validationFailed("The request body", [{ path: "", message }]);
  }
  const lost = Object.entries(value ?? {}).filter(([, map]) => typeof map === "object" && map !== null && Object.hasOwn(map, "__proto__"));
  if (lost.length > 0)
    throw validationFailed(
      "The request body",
      lost.map(([name]) => ({ path: `${name}.__proto__`, message: "This cannot be a name" })), // a record's schema would leave it out without a word
    );
  return check(schema, value, "The request body");
}

/** Of the engine's words only where it stopped: they repeat the text, and so perhaps a credential. */
function placeOf(cause: unknown): string {
  const place = /(?:at position|line) \d+(?: \(line \d+ column \d+\)| column \d+)?/.exec(cause instanceof Error ? cause.message : "");
  return place ? `; it breaks off ${place[0]}` : "";
}

/** A parameter given twice is refused: which one counts would be a guess. @throws VALIDATION_FAILED */
export function parseQuery<T>(schema: z.ZodType<T>, url: string): T {
  const question = url.indexOf("?");
  const params = new URLSearchParams(question < 0 ? "" : url.slice(question + 1));
  const twice = [...new Set(params.keys())].filter((name) => params.getAll(name).length > 1);
  if (twice.length > 0)
    throw validationFailed(
      "The query",
      twice.map((path) => ({ path, message: "Given more than once" })),
    );
  return check(schema, Object.fromEntries(params), "The query");
}

function check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (!result.success) throw validationFailed(what, toIssues(result.error));
  return result.data;
}
