/** A whole system whose model is a scripted server that speaks the OpenAI protocol. */
import { type LlmServer, openLlmServer, type Script } from "./llm-server.ts";
import { openTestSystem, type TestSystem } from "./system.ts";

export const SCRIPTED_MODEL = "openai-compatible:scripted";

export type ScriptedSystem = AsyncDisposable & {
  system: TestSystem;
  model: LlmServer;
  run(body: object): ReturnType<TestSystem["as"]["writer"]["finished"]>;
};

export async function openScriptedSystem({
  script,
  env = {},
}: {
  script?: Script;
  env?: Record<string, string>;
} = {}): Promise<ScriptedSystem> {
  await using opened = new AsyncDisposableStack();
  const model = opened.use(await openLlmServer(script));
  const system = opened.use(
    await openTestSystem({
      env: {
        POOL_PRIVATE_NETWORKS: "127.0.0.1/32",
        LLM_MODEL: SCRIPTED_MODEL,
        LLM_BASE_URL: model.url,
        LLM_API_KEY: "sk-model-key",
        ...env,
      },
    }),
  );
  const { writer } = system.as;
  const kept = opened.move();
  return {
    system,
    model,
    run: async (body) => writer.finished((await writer.create(body)).run_id),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
