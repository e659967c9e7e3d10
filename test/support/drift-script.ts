/** A model for all drifts of a page: it knows what words mean, and of the page what its request says. */
import { type ChatRequest, call, type Reply, textOf } from "./llm-server.ts";

/** Words that mean the same, by how they begin. */
const MEANINGS: Record<string, RegExp> = { cancel: /cancel|void|revoke|storn|annul/i, order: /order|bestell|command/i };
const OPENERS = /more|actions|menu|options|⋯|…/i;

/** Clicks what says most of what the step is about; what may hide it, where nothing does; and says that it is done when that was clicked. */
export function driftScript(request: ChatRequest): Reply {
  const text = textOf(request);
  const about = /Step \d+ of \d+ failed: (.*)/.exec(text)?.[1] ?? /<task>\n(.*)/.exec(text)?.[1] ?? "";
  const wanted = Object.entries(MEANINGS).flatMap(([word, means]) => (about.toLowerCase().includes(word) ? [means] : []));
  const isAbout = (name: string) => wanted.length > 0 && wanted.every((means) => means.test(name));
  if (!request.tools) {
    const name = /"name":"(.*?)"/.exec(text)?.[1] ?? ""; // a guardrail asks about a click
    return { text: isAbout(name) || OPENERS.test(name) ? "allow" : "block" };
  }
  const clicked = request.messages.flatMap(({ tool_calls = [] }) =>
    tool_calls.flatMap(({ function: { name, arguments: given } }) => (name === "click" ? [String(JSON.parse(given).selector)] : [])),
  );
  const gone = new Set([...text.matchAll(/^- (.*)$/gm)].map(([, line]) => line));
  const lines = [...text.matchAll(/^(?:\+ )?((?:button|link|menuitem|clickable) "(.*?)".* → (.+))$/gm)]
    .map(([, line = "", name = "", selector = ""]) => ({ line, name, selector }))
    .filter(({ line, selector }) => !gone.has(line) && !line.includes("(disabled") && !clicked.includes(selector));
  const last = request.messages.at(-1);
  const isOpener = (selector: string | undefined) => selector !== undefined && text.includes(`(collapsed) → ${selector}`);
  if (
    last?.role === "tool" &&
    clicked.length > 0 &&
    textOf({ ...request, messages: [last] }).startsWith("Done") &&
    !isOpener(clicked.at(-1))
  )
    return call("done", { summary: "Clicked what the step is about" });
  const found = lines.find(({ name }) => isAbout(name)) ?? lines.find(({ name, line }) => OPENERS.test(name) && line.includes("collapsed"));
  return found ? call("click", { selector: found.selector }) : call("give_up", { reason: `Nothing on the page is about ${about}` });
}
