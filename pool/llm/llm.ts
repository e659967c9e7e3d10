/** Asking a model: retries, a time limit, the circuit breaker, and what each attempt cost. */
import type { ModelMessage, ToolSet } from "ai";
import { pause } from "../../shared/deadline.ts";
import type { Usage } from "../../shared/run-status.ts";
import type { Log } from "../telemetry/log.ts";
import { createBreakers } from "./breaker.ts";
import { AttemptTimeout, type LlmFailure, llmError, toFailure } from "./failure.ts";
import { type ModelName, parseModelName } from "./model-name.ts";
import { costOf, type Prices } from "./prices.ts";
import { type Access, loadProvider, type Models } from "./provider.ts";
import { type Tokens, tokensIn } from "./usage.ts";

export type LlmConfig = Access & { model: string; utilityModel: string; prices: Prices; timeoutMs: number };

export type Thinking = "minimal" | "low" | "medium" | "high" | "xhigh";
/** A tool as the model is told of it. `parameters`: JSON Schema. */
export type ToolSpec = { name: string; description: string; parameters: Record<string, unknown> };
export type Question = {
  /** `provider:model`. */
  model: string;
  system: string;
  messages: ModelMessage[];
  tools?: readonly ToolSpec[];
  thinking?: Thinking;
  maxOutputTokens?: number;
};
/** `input` is as the model gave it: whoever performs the call parses it. */
export type ToolCall = { id: string; name: string; input: unknown };
export type Answer = { text: string; calls: ToolCall[] };

export type AskContext = {
  signal: AbortSignal;
  /** Hears what each attempt cost, failed ones too, before `ask` resolves or rejects. */
  spend: (usage: Usage) => void;
  /** An attempt was broken off before the server had said what it counted. */
  uncounted?: () => void;
};

export type Llm = {
  model: string;
  utilityModel: string;
  hasPrice(model: string): boolean;
  /** @throws LLM_ERROR with `details.cause`; the signal's reason when that aborts */
  ask(question: Question, context: AskContext): Promise<Answer>;
};

const ATTEMPTS = 3;
const BACKOFF_MS = 500;
/** A server that wants us to wait for longer is as good as away. */
const MAX_RETRY_AFTER_MS = 20_000;

export function createLlm(config: LlmConfig, log: Log, { backoffMs = BACKOFF_MS, breakers = createBreakers() } = {}): Llm {
  const { provider } = parseModelName(config.model);
  let loading: Promise<{ models: Models; sdk: typeof import("ai") }> | null = null;
  const load = () => {
    loading ??= Promise.all([loadProvider(provider, config), import("ai")]).then(([models, sdk]) => {
      globalThis.AI_SDK_LOG_WARNINGS = false; // they go to the console, and may hold what was asked
      return { models, sdk };
    });
    return loading;
  };

  async function attempt(question: Question, { model }: ModelName, context: AskContext): Promise<Answer> {
    const { models, sdk } = await load();
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(new AttemptTimeout("No answer")), config.timeoutMs);
    const spend = (tokens: Tokens) =>
      context.spend({ model: question.model, ...tokens, cost_usd: costOf(config.prices, question.model, tokens) });
    try {
      const { text, toolCalls, usage } = await sdk.generateText({
        model: models(model),
        system: question.system,
        messages: question.messages,
        ...(question.tools ? { tools: toToolSet(question.tools, sdk) } : {}),
        ...(question.maxOutputTokens ? { maxOutputTokens: question.maxOutputTokens } : {}),
        ...(question.thinking ? { reasoning: question.thinking } : {}),
        maxRetries: 0,
        abortSignal: AbortSignal.any([context.signal, limit.signal]),
      });
      spend({ input_tokens: usage.inputTokens ?? 0, output_tokens: usage.outputTokens ?? 0 });
      return { text, calls: toolCalls.map(({ toolCallId, toolName, input }) => ({ id: toolCallId, name: toolName, input })) };
    } catch (error) {
      const { statusCode = 0, responseBody } = (error ?? {}) as { statusCode?: number; responseBody?: string };
      const counted = tokensIn(responseBody);
      if (counted) spend(counted);
      else if (statusCode < 300) context.uncounted?.(); // no refusal: it may have worked on it
      context.signal.throwIfAborted();
      throw limit.signal.aborted ? limit.signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @throws Failed once another attempt is not worth it */
  async function persist(question: Question, name: ModelName, context: AskContext): Promise<Answer> {
    for (let n = 1; ; n += 1) {
      try {
        return await attempt(question, name, context);
      } catch (error) {
        context.signal.throwIfAborted();
        const failure = toFailure(error);
        log.warn("A model could not be asked", { model: question.model, cause: failure.cause, why: failure.words, attempt: n });
        if (!failure.isRetryable || n === ATTEMPTS || (failure.retryAfterMs ?? 0) > MAX_RETRY_AFTER_MS) throw new Failed(failure);
        await pause(failure.retryAfterMs ?? backoffMs * 2 ** (n - 1), context.signal);
      }
    }
  }

  return {
    model: config.model,
    utilityModel: config.utilityModel,
    hasPrice: (model) => config.prices.has(model),
    async ask(question, context) {
      context.signal.throwIfAborted();
      const { model } = question;
      const waitMs = breakers.enter(model);
      if (waitMs > 0) {
        const words = `the last calls failed, and it is left alone for another ${Math.ceil(waitMs / 1000)} s`;
        throw llmError(model, "circuit_open", words);
      }
      try {
        const answer = await persist(question, parseModelName(model), context);
        breakers.succeeded(model);
        return answer;
      } catch (error) {
        if (!(error instanceof Failed)) {
          breakers.abandoned(model);
          throw error;
        }
        const { cause, words, isOfKey } = error.failure;
        if (cause === "bad_request")
          breakers.succeeded(model); // it answers: what was asked is at fault
        else breakers.failed(model, isOfKey);
        throw llmError(model, cause, words); // without what was thrown: it holds the whole request
      }
    },
  };
}

class Failed extends Error {
  override readonly name = "Failed";
  readonly failure: LlmFailure;
  constructor(failure: LlmFailure) {
    super(failure.words);
    this.failure = failure;
  }
}

const toToolSet = (tools: readonly ToolSpec[], { jsonSchema, tool }: typeof import("ai")): ToolSet =>
  Object.fromEntries(tools.map(({ name, description, parameters }) => [name, tool({ description, inputSchema: jsonSchema(parameters) })]));
