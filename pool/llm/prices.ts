/** What tokens cost, as the operator says: prices change, and a table of ours would lie some day. */
import { z } from "zod";
import { PROVIDERS } from "./model-name.ts";

/** USD for a million tokens. */
export type Price = { input: number; output: number };
export type Prices = ReadonlyMap<string, Price>;

const ENTRY = new RegExp(`^((?:${PROVIDERS.join("|")}):[^=]+)=(\\d+(?:\\.\\d+)?)/(\\d+(?:\\.\\d+)?)$`);

/** `provider:model=input/output`, comma-separated. */
export const PricesSchema = z
  .string()
  .default("")
  .transform((text, context): Prices => {
    const prices = new Map<string, Price>();
    for (const entry of text.split(",").map((each) => each.trim())) {
      if (entry === "") continue;
      const [, name, input, output] = ENTRY.exec(entry) ?? [];
      if (name === undefined) context.addIssue("Expected provider:model=input/output in USD for a million tokens, comma-separated");
      else prices.set(name, { input: Number(input), output: Number(output) });
    }
    return prices;
  });

/** Rounded to a millionth of a cent. Null where the price is not known. */
export function costOf(prices: Prices, model: string, tokens: { input_tokens: number; output_tokens: number }): number | null {
  const price = prices.get(model);
  if (!price) return null;
  return Math.round(tokens.input_tokens * price.input * 100 + tokens.output_tokens * price.output * 100) / 1e8;
}
