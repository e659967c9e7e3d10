/** A number in the text of a query. */
import { z } from "zod";

/** Digits, with a fraction where there is one. `z.coerce` takes no text at all for 0, and `0x10` for 16. Documented as the number that it is. */
export function numberText(number: z.ZodNumber) {
  const { $schema: _, ...documented } = z.toJSONSchema(number);
  return z
    .string()
    .refine((text) => /^\d{1,15}(\.\d{1,9})?$/.test(text), "Expected a number in digits")
    .transform(Number)
    .pipe(number)
    .meta(documented);
}

/** The same, where there may be none. The documentation has the default in words: JSON Schema has none for text that becomes something else. */
export const numberTextOr = (fallback: number, number: z.ZodNumber) =>
  numberText(number).default(fallback).describe(`${fallback} where none is given`);
