/** The body of a request → text, within the limit; and text → a checked value. */
import type { z } from "zod";
import { AppError, toIssues, validationFailed } from "../shared/errors.ts";

/** @throws UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE */
export async function readBody(request: Request, maxBytes: number): Promise<string> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/(?:[a-z0-9.+-]+\+)?json *(?:;|$)/i.test(type)) {
    throw new AppError("UNSUPPORTED_MEDIA_TYPE", "Send the body as Content-Type: application/json");
  }
  const coding = request.headers.get("content-encoding");
  if (coding !== null && coding !== "identity") throw new AppError("UNSUPPORTED_MEDIA_TYPE", "Send the body without Content-Encoding");
  refuseLarge(request, maxBytes);
  if (request.headers.has("content-length")) return request.text(); // which the server holds it to
  return readCounted(request, maxBytes);
}

/** By what the request says of itself, before a byte is read. @throws PAYLOAD_TOO_LARGE */
export function refuseLarge(request: Request, maxBytes: number): void {
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) > maxBytes) throw tooLarge(maxBytes);
}

async function readCounted(request: Request, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  const reader = request.body?.getReader();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done || value === undefined) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > maxBytes) {
      reader?.cancel().catch(() => {}); // its failure changes nothing: the answer is 413
      throw tooLarge(maxBytes);
    }
    text += decoder.decode(value, { stream: true });
  }
}

const tooLarge = (maxBytes: number): AppError =>
  new AppError("PAYLOAD_TOO_LARGE", `The request body is larger than ${maxBytes} bytes`, { details: { max_bytes: maxBytes } });

/** @throws VALIDATION_FAILED */
export function parseBody<T>(schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const message =
      text.trim() === "" ? "Expected JSON, got nothing" : `Expected JSON: ${cause instanceof Error ? cause.message : ""}`.slice(0, 200);
    throw validationFailed("The request body", [{ path: "", message }]);
  }
  return check(schema, value, "The request body");
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
