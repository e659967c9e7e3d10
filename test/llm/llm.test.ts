import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createBreaker, createBreakers } from "../../pool/llm/breaker.ts";
import { type AskContext, createLlm, type LlmConfig } from "../../pool/llm/llm.ts";
import { PricesSchema } from "../../pool/llm/prices.ts";
import { tokensIn } from "../../pool/llm/usage.ts";
import { createLog } from "../../pool/telemetry/log.ts";
import { AppError } from "../../shared/errors.ts";
import { NO_USAGE, type Usage } from "../../shared/run-status.ts";
import { call, inTurn, type LlmServer, openLlmServer } from "../support/llm-server.ts";

const MODEL = "openai-compatible:scripted";
const KEY = "sk-secret";

let server: LlmServer;
beforeAll(async () => {
  server = await openLlmServer();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => {
  server.requests.length = 0;
  server.counted = { input_tokens: 0, output_tokens: 0 };
});

function open(more: Partial<LlmConfig> = {}) {
  const logs: string[] = [];
  const prices = PricesSchema.parse(`${MODEL}=2/10`);
  const config = { model: MODEL, utilityModel: MODEL, baseUrl: server.url, apiKey: KEY, prices, timeoutMs: 5_000, ...more };
  const llm = createLlm(
    config,
    createLog("debug", {}, (line) => logs.push(line)),
    { backoffMs: 1 },
  );
  const spent: Usage[] = [];
  const seen = { uncounted: 0 };
  const stop = new AbortController();
  const context: AskContext = {
    signal: stop.signal,
    spend: (usage) => void spent.push(usage),
    uncounted: () => {
      seen.uncounted += 1;
    },
  };
  const question = { model: MODEL, system: "Be brief", messages: [{ role: "user" as const, content: "Hello" }] };
  const total = () =>
    spent.reduce(
      (sum, each) => ({
        ...each,
        input_tokens: sum.input_tokens + each.input_tokens,
        output_tokens: sum.output_tokens + each.output_tokens,
      }),
      NO_USAGE,
    );
  return { llm, ask: () => llm.ask(question, context), question, context, spent, total, seen, stop, logs };
}

const causeOf = async (asking: Promise<unknown>) => {
  const error = await asking.then(
    () => null,
    (each: unknown) => each,
  );
  expect(error).toBeInstanceOf(AppError);
  expect(JSON.stringify([error, (error as AppError).message, (error as AppError).stack])).not.toContain(KEY);
  return (error as AppError).details?.cause;
};

describe("asking a model", () => {
  it("gives its text and its calls, and counts what the server counted, in money too", async () => {
    const { llm, question, context, spent } = open();
    server.script = inTurn({ ...call("click", { selector: "#a" }), text: "I click", tokens: [1000, 200] });
    const tools = [{ name: "click", description: "Clicks", parameters: { type: "object", properties: { selector: { type: "string" } } } }];
    const answer = await llm.ask({ ...question, tools }, context);
    expect(answer).toEqual({ text: "I click", calls: [{ id: "call_1_0", name: "click", input: { selector: "#a" } }] });
    expect(spent).toEqual([{ model: MODEL, input_tokens: 1000, output_tokens: 200, cost_usd: 0.004 }]);
    expect(server.keys.at(-1)).toBe(`Bearer ${KEY}`);
    expect(server.requests[0]?.tools?.[0]?.function).toMatchObject({ name: "click", description: "Clicks" });
  });

  it("tries again after what passes by, and counts what failed attempts cost", async () => {
    const { ask, total, spent } = open();
    server.script = inTurn(
      { status: 429, headers: { "retry-after": "0" } },
      { status: 500, tokens: [40, 0] },
      { text: "Yes", tokens: [50, 5] },
    );
    expect((await ask()).text).toBe("Yes");
    expect(spent).toHaveLength(2);
    expect(total()).toMatchObject({ ...server.counted, input_tokens: 90 });
  });

  it.each([
    ["reset", "unavailable", 3],
    ["half", "bad_answer", 3],
    ["garbage", "bad_answer", 3],
    ["off-protocol", "bad_answer", 3],
  ] as const)("names a server that breaks off or talks nonsense by its kind (%s)", async (broken, cause, attempts) => {
    const { ask, total } = open();
    server.script = inTurn({ broken });
    expect(await causeOf(ask())).toBe(cause);
    expect(server.requests).toHaveLength(attempts);
    expect(total()).toMatchObject(server.counted);
  });

  it("tries no second time what would only fail again, and tells neither key nor the server's words", async () => {
    const { ask, logs } = open();
    server.script = inTurn({ status: 401 });
    expect(await causeOf(ask())).toBe("refused");
    server.script = inTurn({ status: 400 });
    expect(await causeOf(ask())).toBe("bad_request");
    expect(server.requests).toHaveLength(2);
    expect(logs.join()).not.toContain(KEY);
  });

  it.each(["anthropic", "openai", "google"])("speaks to %s, with its own library, where LLM_BASE_URL says", async (provider) => {
    const { llm, question, context } = open({ model: `${provider}:m`, utilityModel: `${provider}:m` });
    server.script = inTurn({ status: 401 });
    expect(await causeOf(llm.ask({ ...question, model: `${provider}:m`, thinking: "low" }, context))).toBe("refused");
    expect(server.requests).toHaveLength(1);
  });

  it("ends an attempt that takes too long, and says that its tokens are not known", async () => {
    const { ask, seen } = open({ timeoutMs: 50 });
    server.script = inTurn({ broken: "silent" });
    expect(await causeOf(ask())).toBe("timeout");
    expect(seen.uncounted).toBe(3);
  });

  it("ends with the run's own reason as soon as the run does", async () => {
    const { ask, stop, seen, spent } = open();
    server.script = () => {
      stop.abort(new AppError("RUN_TERMINATED", "Stopped"));
      return { broken: "silent" };
    };
    await expect(ask()).rejects.toMatchObject({ code: "RUN_TERMINATED" });
    expect([seen.uncounted, spent.length]).toEqual([1, 0]);
  });

  it("leaves a model that failed three times in a row alone, then tries it once", async () => {
    let now = 0;
    const breakers = createBreakers(() => createBreaker({ now: () => now }));
    const { question, context } = open();
    const llm = createLlm(
      { model: MODEL, utilityModel: MODEL, baseUrl: server.url, apiKey: KEY, prices: new Map(), timeoutMs: 1000 },
      createLog("silent"),
      { breakers },
    );
    server.script = inTurn({ status: 401 });
    for (let i = 0; i < 3; i += 1) expect(await causeOf(llm.ask(question, context))).toBe("refused");
    expect(await causeOf(llm.ask(question, context))).toBe("circuit_open");
    expect(server.requests).toHaveLength(3);
    now = 30_001;
    server.script = inTurn({ text: "Back" });
    expect((await llm.ask(question, context)).text).toBe("Back");
    expect((await llm.ask(question, context)).text).toBe("Back");
  });

  it("asks the other models while one is left alone, but none while the key is refused", async () => {
    const { llm, question, context } = open();
    const other = { ...question, model: "openai-compatible:other" };
    server.script = inTurn({ status: 403 });
    for (let i = 0; i < 3; i += 1) expect(await causeOf(llm.ask(other, context))).toBe("refused");
    expect(await causeOf(llm.ask(other, context))).toBe("circuit_open");
    server.script = inTurn({ text: "Here" });
    expect((await llm.ask(question, context)).text).toBe("Here");
    server.script = inTurn({ status: 401 });
    for (let i = 0; i < 3; i += 1) expect(await causeOf(llm.ask(question, context))).toBe("refused");
    for (const each of [question, other, { ...question, model: "openai-compatible:new" }])
      expect(await causeOf(llm.ask(each, context))).toBe("circuit_open");
  });
});

describe("what a server counted", () => {
  it("is read in each provider's words, and never invented", () => {
    expect(tokensIn('{"usage":{"prompt_tokens":3,"completion_tokens":4}}')).toEqual({ input_tokens: 3, output_tokens: 4 });
    expect(tokensIn('{"usage":{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":10}}')).toEqual({
      input_tokens: 13,
      output_tokens: 4,
    });
    expect(tokensIn('{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"thoughtsTokenCount":5}}')).toEqual({
      input_tokens: 3,
      output_tokens: 9,
    });
    for (const body of [undefined, "", "{", "[]", '{"usage":{"prompt_tokens":"3"}}', '{"usage":{"prompt_tokens":-3}}'])
      expect(tokensIn(body)).toBeNull();
  });

  it("costs what the operator says", () => {
    expect(PricesSchema.safeParse("openai:m=1").success).toBe(false);
    expect(PricesSchema.parse("openai:a:b=0.5/1.5, google:c=1/2").get("openai:a:b")).toEqual({ input: 0.5, output: 1.5 });
  });
});
