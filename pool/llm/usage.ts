/** Tokens of one call, read from the answer, also from one that is of no use otherwise. */
import { z } from "zod";

export type Tokens = { input_tokens: number; output_tokens: number };

const count = z.int().min(0);
/** The shapes in which servers report what they counted. */
const ReportSchema = z.union([
  z.object({ usage: z.object({ prompt_tokens: count, completion_tokens: count.default(0) }) }).transform(({ usage }) => ({
    input_tokens: usage.prompt_tokens,
    output_tokens: usage.completion_tokens,
  })),
  z
    .object({
      usage: z.object({
        input_tokens: count,
        output_tokens: count.default(0),
        cache_creation_input_tokens: count.nullish(),
        cache_read_input_tokens: count.nullish(),
      }),
    })
    .transform(({ usage }) => ({
      // Anthropic counts what went through its cache beside input_tokens, the others within.
      input_tokens: usage.input_tokens + (usage.cache_creation_input_tokens ?? 0) + (usage.cache_read_input_tokens ?? 0),
      output_tokens: usage.output_tokens,
    })),
  z
    .object({
      usageMetadata: z.object({
        promptTokenCount: count,
        candidatesTokenCount: count.default(0),
        thoughtsTokenCount: count.default(0),
      }),
    })
    .transform(({ usageMetadata }) => ({
      input_tokens: usageMetadata.promptTokenCount,
      output_tokens: usageMetadata.candidatesTokenCount + usageMetadata.thoughtsTokenCount,
    })),
]);

/** What a body says was counted, an error's body too; null when it says nothing. */
export function tokensIn(body: string | undefined): Tokens | null {
  try {
    return ReportSchema.safeParse(JSON.parse(body ?? "")).data ?? null;
  } catch {
    return null; // no JSON: half an answer, or none
  }
}
