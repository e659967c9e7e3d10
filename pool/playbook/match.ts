/** From a directive in plain words to a playbook, and to the values of its parameters. */
import { createContext, Script } from "node:vm";
import { AppError } from "../../shared/errors.ts";
import type { Parameter, Playbook } from "../../shared/playbook.ts";

/** The playbook whose tags stand in the directive with the most letters, case ignored; of equals the first by file name. Null: no tag is there. */
export function matchDirective(playbooks: readonly Playbook[], directive: string): Playbook | null {
  const text = directive.toLowerCase();
  const score = ({ tags }: Playbook) => tags.reduce((sum, tag) => sum + (text.includes(tag.toLowerCase()) ? tag.length : 0), 0);
  let best: { playbook: Playbook; score: number } | null = null;
  for (const playbook of [...playbooks].sort(byFile)) {
    const points = score(playbook);
    if (points > (best?.score ?? 0)) best = { playbook, score: points };
  }
  return best?.playbook ?? null;
}

const byFile = (a: Playbook, b: Playbook): number => (`${a.id}.yaml` < `${b.id}.yaml` ? -1 : 1);

/**
 * The parameters that the directive gives a value, as text; what it does not say is left out. For each in turn:
 * its pattern (group 1 where there is one), then `name = value` or `name: value`, then, for a required `int` without a default,
 * the first run of three or more digits that no other parameter took. A `selector_text` is found by its pattern only.
 * @throws VALIDATION_FAILED when the patterns take too long on this directive.
 */
export function extractParams(
  playbook: Playbook,
  directive: string,
  wanted: (parameter: Parameter) => boolean = () => true,
): Record<string, string> {
  const found = new Map<string, Found>();
  const parameters = playbook.parameters.filter(wanted);
  const byPattern = parameters.some(({ pattern }) => pattern !== null) ? patternSearch(directive) : () => null;
  for (const parameter of parameters) {
    const value =
      (parameter.pattern === null ? null : byPattern(parameter)) ??
      (parameter.type === "selector_text" ? null : byName(parameter, directive));
    if (value) found.set(parameter.name, value);
  }
  for (const { name, type, required, default: fallback } of parameters) {
    if (type !== "int" || !required || fallback !== null || found.has(name)) continue; // a guess must not beat a default
    const number = firstNumber(directive, [...found.values()]);
    if (number) found.set(name, number);
  }
  return Object.fromEntries([...found].map(([name, { text }]) => [name, text]));
}

type Found = { text: string; start: number; end: number };

function byName({ name, type }: Parameter, directive: string): Found | null {
  const value = type === "int" ? "[\"']?([+-]?\\d+)" : "(?:\"([^\"]*)\"|'([^']*)'|([^\"',\\n]+))";
  const match = new RegExp(`(?<![\\w-])${name}\\s{0,5}[=:]\\s{0,5}${value}`, "id").exec(directive);
  const group = match?.findIndex((each, i) => i > 0 && each !== undefined) ?? -1;
  const text = match?.[group]?.trim() ?? "";
  const [start, end] = match?.indices?.[group] ?? [0, 0];
  return text === "" ? null : { text, start, end };
}

function firstNumber(directive: string, taken: Found[]): Found | null {
  for (const match of directive.matchAll(/#?(\d{3,})/g)) {
    const start = match.index;
    const end = start + match[0].length;
    if (!taken.some((each) => each.start < end && start < each.end)) return { text: match[1] as string, start, end };
  }
  return null;
}

/** For all patterns of a playbook together: on 10,000 characters an honest one needs microseconds, one that backtracks for ever must end. */
const SEARCH_LIMIT_MS = 200;
/** Finds group 1, or the whole match where there is no group. Speaks JSON, so that no object of its realm gets out. */
const search = new Script(`(() => {
  const match = new RegExp(pattern, "id").exec(text);
  const group = match && match.length > 1 ? 1 : 0;
  return JSON.stringify(match?.[group] === undefined ? null : { text: match[group], start: match.indices[group][0], end: match.indices[group][1] });
})()`);

/** One for all: to make it takes longer than most searches. */
const room = createContext(Object.assign(Object.create(null), { pattern: "", text: "" }));

/** Runs patterns on one directive under one time limit. `node:vm` can interrupt a regular expression; nothing of the author's is run as code. */
function patternSearch(directive: string): (parameter: Parameter) => Found | null {
  let leftMs = SEARCH_LIMIT_MS;
  return ({ name, pattern }) => {
    Object.assign(room, { pattern, text: directive });
    const began = performance.now();
    try {
      const found = JSON.parse(search.runInContext(room, { timeout: Math.max(1, Math.floor(leftMs)) })) as Found | null;
      const text = found?.text.trim() ?? "";
      return found && text !== "" ? { ...found, text } : null;
    } catch (cause) {
      const message = "Its pattern takes too long on this directive";
      throw new AppError("VALIDATION_FAILED", `Parameter "${name}" cannot be read from the directive: ${message}`, {
        cause,
        details: { issues: [{ path: `params.${name}`, message }] },
      });
    } finally {
      room.text = "";
      leftMs -= performance.now() - began;
    }
  };
}
