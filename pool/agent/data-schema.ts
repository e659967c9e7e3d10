/** `output_schema`: is it a JSON Schema, and is the data valid against it? The library is loaded when the first one comes. */
import { createContext, Script } from "node:vm";
import type { ValidateFunction } from "ajv";
import { AppError } from "../../shared/errors.ts";

type Schema = Record<string, unknown>;

/** A pattern of the schema's may backtrack for ever; `node:vm` can interrupt it. */
const VALIDATE_MS = 500;
const room = createContext(Object.assign(Object.create(null), { validate: null, data: null }));
const validating = new Script("validate(data)");

/** Returns what is wrong with data, or null. @throws VALIDATION_FAILED: not a JSON Schema */
export async function compileSchema(schema: Schema): Promise<(data: unknown) => string | null> {
  const { Ajv2020 } = await import("ajv/dist/2020.js");
  let validate: ValidateFunction;
  try {
    const { $schema: _, ...rest } = schema; // drafts 4 to 2019 say the same of what an output needs
    validate = new Ajv2020({ strict: false, allErrors: true, logger: false, validateFormats: false }).compile(rest);
  } catch (cause) {
    const message = `Not a JSON Schema: ${cause instanceof Error ? cause.message : "it does not compile"}`;
    throw new AppError("VALIDATION_FAILED", `output_schema: ${message}`, { details: { issues: [{ path: "output_schema", message }] } });
  }
  return (data) => {
    Object.assign(room, { validate, data });
    try {
      if (validating.runInContext(room, { timeout: VALIDATE_MS })) return null;
    } catch {
      return "takes too long to check against the schema";
    } finally {
      Object.assign(room, { validate: null, data: null });
    }
    const wrong = (validate.errors ?? []).slice(0, 10).map(({ instancePath, message }) => `${instancePath || "/"} ${message}`);
    return `is not valid: ${wrong.join("; ")}`;
  };
}
