/** What a directive is for: its words where they leave no doubt, else a model's word. Never a page's: only the directive is looked at. */
import { GOAL_TYPES, type GoalType } from "../../shared/guardrails.ts";
import type { AgentDeps } from "./deps.ts";

/** Words that are said of work which goes beyond looking, the widest goal first. They leave no doubt: a goal too wide keeps nobody from their work. */
const WIDE: readonly [GoalType, RegExp][] = [
  [
    "fill_form",
    /\b(?:fill|enter|type|write|input|register|sign[ -]?up|apply|book|reserve|order|buy|submit|upload|create|post|reply|complete the|ausfullen|ausfüllen|eintragen|buchen|remplir|remplis|saisir|réserver|rellenar|completar|compilare|compila)\b/i,
  ],
  [
    "interact",
    /\b(?:click|press|tap|log[ -]?(?:in|on|out)|sign[ -]?(?:in|on|out)|select|choose|pick|add|remove|delete|cancel|edit|change|update|set|toggle|enable|disable|switch|download|send|play|like|follow|unsubscribe|accept|confirm|approve|use|search|filter|sort|anmelden|klick\w*|stornier\w*|lösch\w*|cliqu\w*|connecte\w*|annul\w*|supprim\w*|haz clic|inicia\w*|cancela\w*|clicca\w*)\b/i,
  ],
];
const NARROW: readonly [GoalType, RegExp][] = [
  ["read", /\b(?:read|extract|get|tell|list|find|show|summari[sz]e|what|which|how|who|when|report|check|count|collect|scrape)\b/i],
  ["navigate", /\b(?:go|navigate|open|visit|browse|head)\b/i],
];

const SYSTEM = `You say what a task in a web browser needs. Answer with one word, the first of these that is enough:
navigate: only to open pages and follow links
read: also to read and report what pages show; nothing is typed, chosen or changed
interact: to press buttons, sign in, search, choose, or change something
fill_form: to fill in and send forms`;

/** At least `floor`, which the rest of the request makes necessary. A model that cannot be asked leaves it to the words. */
export async function goalTypeOf(
  directive: string,
  { ask, redact, signal }: Pick<AgentDeps, "ask" | "redact" | "signal">,
  floor: GoalType = "navigate",
): Promise<GoalType> {
  const words = (rules: typeof WIDE) => rules.find(([, pattern]) => pattern.test(directive))?.[0];
  const wide = words(WIDE) ?? (GOAL_TYPES.indexOf(floor) >= GOAL_TYPES.indexOf("interact") ? floor : undefined);
  if (wide !== undefined) return wider(wide, floor);
  try {
    const { text } = await ask({ system: SYSTEM, messages: [{ role: "user", content: redact(directive) }] });
    const word = text.toLowerCase().match(/navigate|read|interact|fill_form/g) ?? [];
    return wider(word.length === 1 ? (word[0] as GoalType) : "interact", floor);
  } catch {
    signal.throwIfAborted();
    return wider(words(NARROW) ?? "read", floor);
  }
}

const wider = (a: GoalType, b: GoalType): GoalType => GOAL_TYPES[Math.max(GOAL_TYPES.indexOf(a), GOAL_TYPES.indexOf(b))] as GoalType;
