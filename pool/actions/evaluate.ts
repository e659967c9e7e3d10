/** Running the author's own script in the page, in the page's own world. */
import type { CDPSession, Protocol } from "puppeteer-core";
import { untilAborted } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import type { ActionOf, Attempt } from "./attempt.ts";
import { toJson } from "./json-value.ts";
import { bodyOf } from "./script-syntax.ts";
import { handled, markInput, settleFor } from "./settle.ts";
import { TEXT_LIMIT } from "./text-limit.ts";

/** How long a page may take to show that it is alive, before what it runs is cut off. */
const ALIVE_MS = 200;

/** The result as JSON; a string as it is. null: there was none (`undefined`). Promises are awaited, functions called, both with `params`. */
export async function evaluate(attempt: Attempt, { params: { expression } }: ActionOf<"evaluate">): Promise<string | null> {
  const { signal, tabs } = attempt;
  const link = await tabs.ready(signal);
  await settleFor("reading", link, signal);
  await attempt.context.observe?.input({ page: link.page });
  signal.throwIfAborted();
  markInput(link);
  attempt.dispatched = true;
  attempt.whenLate = () => cutOff(link.session);
  const result = await untilAborted(run(link.session, expression, attempt.context.values ?? {}), signal);
  await handled(link, signal);
  return result;
}

async function run(session: CDPSession, expression: string, values: Record<string, unknown>): Promise<string | null> {
  const { result: world } = await session.send("Runtime.evaluate", { expression: "globalThis" }).catch(gone);
  const { exceptionDetails, result } = await session
    .send("Runtime.callFunctionOn", {
      objectId: world.objectId as string,
      functionDeclaration: `async function (params) { ${bodyOf(expression)}\n}`,
      arguments: [{ value: values }],
      awaitPromise: true,
      userGesture: true,
      serializationOptions: { serialization: "deep" },
    })
    .catch(gone);
  await session.send("Runtime.releaseObject", { objectId: world.objectId as string }).catch(() => {}); // its page went on
  if (exceptionDetails) throw new ActionError(`Cannot evaluate: ${describe(exceptionDetails)}`);
  const json = toJson(result.deepSerializedValue);
  if (json === null || json.length <= TEXT_LIMIT) return json;
  throw new ActionError(`Cannot evaluate: the result has ${json.length} characters, of ${TEXT_LIMIT} at most; return less of it`);
}

function describe({ exception, text }: Protocol.Runtime.ExceptionDetails): string {
  const words = exception?.description ?? (exception && "value" in exception ? `it threw ${JSON.stringify(exception.value)}` : text);
  const [line = ""] = words.split("\n");
  return line.length > 500 ? `${line.slice(0, 500)}…` : line; // what is cut says so: the beginning of a secret may be left
}

function gone(cause: unknown): never {
  throw new ActionError("Cannot evaluate: the page went away while the script ran", { cause, dispatched: true });
}

/** Frees a page from a script that does not end. An idle page is left alone: it would lose the next thing that it runs. */
async function cutOff(session: CDPSession): Promise<void> {
  const alive = await untilAborted(session.send("Runtime.evaluate", { expression: "1" }), AbortSignal.timeout(ALIVE_MS)).catch(() => null);
  if (alive === null) await untilAborted(session.send("Runtime.terminateExecution"), AbortSignal.timeout(ALIVE_MS)).catch(() => {}); // beyond help; health checks find it
}
