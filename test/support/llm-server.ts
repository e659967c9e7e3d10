/** A server that speaks the OpenAI chat protocol from a script, over real HTTP: it records what it is asked, counts tokens, and fails on purpose. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type ToolReply = { name: string; args: unknown };
export type Reply =
  | { text?: string; calls?: ToolReply[]; tokens?: [input: number, output: number] }
  | { status: number; headers?: Record<string, string>; tokens?: [input: number, output: number] }
  | { broken: "reset" | "garbage" | "half" | "silent" | "off-protocol" };

export type ChatMessage = { role: string; content?: unknown; tool_calls?: { id: string; function: { name: string; arguments: string } }[] };
export type ChatRequest = {
  model: string;
  messages: ChatMessage[];
  tools?: { function: { name: string; description: string; parameters: Record<string, unknown> } }[];
};
/** `n` counts the requests, from 1. */
export type Script = (request: ChatRequest, n: number) => Reply | Promise<Reply>;

export type LlmServer = AsyncDisposable & {
  url: string;
  requests: ChatRequest[];
  /** Bodies as they came, and the key that came with them. */
  bodies: string[];
  keys: (string | undefined)[];
  /** What it told its clients that they have used. */
  counted: { input_tokens: number; output_tokens: number };
  /** What it answers from now on. */
  script: Script;
};

/** Replies one after the other; the last one again and again. */
export const inTurn =
  (...replies: Reply[]): Script =>
  (_request, n) =>
    replies[Math.min(n, replies.length) - 1] as Reply;

export const call = (name: string, args: unknown = {}): Reply => ({ calls: [{ name, args }] });

/** All that the messages of a request say, as one text. */
export const textOf = (request: ChatRequest): string => request.messages.map(({ content }) => contentText(content)).join("\n");
const contentText = (content: unknown): string =>
  typeof content === "string"
    ? content
    : Array.isArray(content)
      ? content.map((part: { text?: string }) => part.text ?? "").join("\n")
      : "";

export async function openLlmServer(script: Script = inTurn({ text: "" })): Promise<LlmServer> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const asked = JSON.parse(body) as ChatRequest;
    opened.requests.push(asked);
    opened.bodies.push(body);
    opened.keys.push(request.headers.authorization);
    const n = opened.requests.length;
    answer(opened, response, await opened.script(asked, n), { asked, n, bytes: body.length });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const opened: LlmServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests: [],
    bodies: [],
    keys: [],
    counted: { input_tokens: 0, output_tokens: 0 },
    script,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return opened;
}

type Asked = { asked: ChatRequest; n: number; bytes: number };

function answer(server: LlmServer, response: ServerResponse, reply: Reply, { asked, n, bytes }: Asked): void {
  const usageOf = ([prompt_tokens, completion_tokens]: [number, number]) => {
    server.counted.input_tokens += prompt_tokens;
    server.counted.output_tokens += completion_tokens;
    return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
  };
  const json = (status: number, body: unknown, headers = {}) =>
    void response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
  if ("broken" in reply) {
    const { broken } = reply; // silent: until the client leaves
    if (broken === "reset") response.socket?.destroy();
    if (broken === "garbage") response.writeHead(200, { "Content-Type": "application/json" }).end("<html>no model here");
    if (broken === "off-protocol") json(200, { hello: "world", usage: usageOf([7, 3]) });
    if (broken === "half") {
      response.writeHead(200, { "Content-Type": "application/json", "Content-Length": "5000" });
      response.write('{"id":"half","choices":[', () => response.socket?.destroy());
    }
    return;
  }
  if ("status" in reply) {
    const counted = reply.tokens ? { usage: usageOf(reply.tokens) } : {};
    json(reply.status, { error: { message: `Key sk-secret is at fault: ${reply.status}` }, ...counted }, reply.headers);
    return;
  }
  const tool_calls = reply.calls?.map(({ name, args }, i) => ({
    id: `call_${n}_${i}`,
    type: "function",
    function: { name, arguments: typeof args === "string" ? args : JSON.stringify(args) },
  }));
  const message = { role: "assistant", content: reply.text ?? null, ...(tool_calls ? { tool_calls } : {}) };
  const usage = usageOf(reply.tokens ?? [Math.ceil(bytes / 4), 20 + n]);
  json(200, {
    id: `chat-${n}`,
    object: "chat.completion",
    created: 0,
    model: asked.model,
    choices: [{ index: 0, message, finish_reason: tool_calls ? "tool_calls" : "stop" }],
    usage,
  });
}
