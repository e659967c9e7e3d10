/** What a handler reads of a request: the caller, ids, bodies. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import type { z } from "zod";
import { AppError, toIssues, validationFailed } from "../../shared/errors.ts";
import { parseRunId } from "../../shared/ids.ts";
import { API_KEY_NAME_HEADER } from "../../shared/node.ts";

const digest = (text: string) => createHash("sha256").update(text).digest();

/** Lets only those in who show the pool's token. Compares digests, so that time tells nothing. */
export function requireToken(token: string): MiddlewareHandler {
  const wanted = digest(token);
  return async (c, next) => {
    const given = /^Bearer (.+)$/i.exec(c.req.header("Authorization") ?? "")?.[1] ?? "";
    if (!timingSafeEqual(digest(given), wanted)) throw new AppError("UNAUTHORIZED", "The pool token is missing or wrong");
    await next();
  };
}

/** The name of the caller's API key; null: a caller who may see everybody's runs. */
export const callerOf = (c: Context): string | null => c.req.header(API_KEY_NAME_HEADER) ?? null;

export const runIdOf = (c: Context): string => parseRunId(c.req.param("run_id") ?? "");

export async function bodyOf<S extends z.ZodType>(c: Context, schema: S): Promise<z.output<S>> {
  let json: unknown;
  try {
    json = await c.req.json();
  } catch {
    throw validationFailed("The request body", [{ path: "", message: "Not JSON" }]);
  }
  return parse(json, schema, "The request body");
}

export const queryOf = <S extends z.ZodType>(c: Context, schema: S): z.output<S> => parse(c.req.query(), schema, "The query");

function parse<S extends z.ZodType>(value: unknown, schema: S, what: string): z.output<S> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw validationFailed(what, toIssues(parsed.error));
  return parsed.data;
}
