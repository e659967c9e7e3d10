/** From a provider's name to its models. Each library is loaded when it is first asked: a node without a model pays nothing. */
import type { LanguageModel } from "ai";
import type { Provider } from "./model-name.ts";

export type Access = { baseUrl: string | null; apiKey: string | null };
export type Models = (model: string) => LanguageModel;

export async function loadProvider(provider: Provider, { baseUrl, apiKey }: Access): Promise<Models> {
  // An empty key: the libraries would otherwise look into the environment for one that nobody gave this program.
  const settings = { apiKey: apiKey ?? "", ...(baseUrl === null ? {} : { baseURL: baseUrl }) };
  switch (provider) {
    case "anthropic": {
      const { createAnthropic } = await import("@ai-sdk/anthropic");
      return createAnthropic(settings);
    }
    case "openai": {
      const { createOpenAI } = await import("@ai-sdk/openai");
      return createOpenAI(settings);
    }
    case "google": {
      const { createGoogleGenerativeAI } = await import("@ai-sdk/google");
      return createGoogleGenerativeAI(settings);
    }
    case "openai-compatible": {
      const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
      const open = createOpenAICompatible({ name: "openai-compatible", baseURL: baseUrl ?? "", ...(apiKey === null ? {} : { apiKey }) });
      return (model) => open.chatModel(model);
    }
  }
}
