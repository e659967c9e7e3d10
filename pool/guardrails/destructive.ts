/**
 * What may be clicked: judged by what the element is (name, text, role, where its form or link leads), never by the selector that found it.
 * A click that its author wrote is granted. For what a recovery or the agent wants, word lists speak first, then the model; nobody: no.
 */
import type { Origin } from "../../shared/action.ts";
import type { Guardrails, Verdict } from "../../shared/guardrails.ts";
import type { ClickTarget } from "../actions/attempt.ts";
import { conceptOf, conceptsIn, conceptsOf, type Wording, wordingOf } from "./concepts.ts";
import { DECLINING, HARMLESS } from "./destructive-words.ts";

export type Judgement = { judgement: "allow" | "ask" | "block"; reason: string; concept: string | null };

/** `intent`: in whose words this run or step was asked for; the author's or the caller's, never a page's. */
export type ClickQuestion = { target: ClickTarget; url: string; origin: Exclude<Origin, "author">; intent: string };
/** A model's word. Rejects, or answers anything else, when there is none. */
export type AskModel = (question: ClickQuestion, signal: AbortSignal) => Promise<"allow" | "block">;

/** `deleteAccount.php?x` → `delete account php`: the words of an address, without its query's values. */
function wordsOf(address: string | null): string {
  const [path, query] = (address !== null && pathAndQuery(address)) || ["", ""];
  const asked = query === "" ? null : new URLSearchParams(query);
  const named = asked === null ? path : [path, ...asked.keys(), asked.get("action") ?? ""].join(" ");
  return (/[A-Z]/.test(named) ? named.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase() : named).replaceAll("_", " ");
}

/** A page's links come written out, as a browser writes them: they need no parser, which would take longer than all else here. */
function pathAndQuery(address: string): [path: string, query: string] | null {
  const origin = /^https?:\/\/[\w.:[\]-]+(?=\/)/.exec(address)?.[0];
  const url = origin === undefined ? URL.parse(address, "http://x/") : null;
  if (origin === undefined) return url && [url.pathname, url.search];
  const [rest = ""] = address.slice(origin.length).split("#", 1);
  const at = rest.indexOf("?");
  return at === -1 ? [rest, ""] : [rest.slice(0, at), rest.slice(at)];
}

/** What an address does, by its words. "Cancel" alone names a deed only where it is a part of its own: `/orders/5/cancel`, not `/how-to-cancel`. */
function deedOf(address: string | null): string | undefined {
  const words = wordsOf(address);
  return conceptsOf(words)[0] ?? (words.includes("cancel") && /[/ ]cancel(?=[/ .]|$)/.test(words) ? "cancel" : undefined);
}

/** Names that turn back from what is offered. */
const RETREATING = /^(?:close|dismiss|no|no thanks|not now|keep|back|go back|nein|non|fermer|schliessen|cerrar|chiudi|sluiten)$/;

/** Choosing among what is offered; what it leads to is a click of its own. */
const CHOOSING =
  /^(?:tab|radio|checkbox|switch|option|combobox|listbox|textbox|searchbox|spinbutton|slider|treeitem|heading|img|row|cell|gridcell)$/;

/** By word lists alone. Pure. */
export function judgeTarget(target: ClickTarget, { label, deeds, saidDeeds }: Wording = wordingOf(target)): Judgement {
  const { name, text, role, href, form, dialog } = target;
  const given = name || text;
  const shown = given.length > 80 ? `${given.slice(0, 80)}…` : given; // what is cut says so: the beginning of a secret may be left
  const own = deeds[0] ?? saidDeeds[0] ?? deedOf(href);
  if (own) return { judgement: "block", reason: `"${shown}" would ${own === "account" ? "end an account" : own}`, concept: own };
  const submits = form !== null && target.submits && form.method !== "dialog"; // such a form only closes its dialog
  if (!submits && DECLINING.has(label) && (dialog !== "" || form !== null))
    return { judgement: "allow", reason: "It declines", concept: null };
  if (!submits && RETREATING.test(label)) return { judgement: "allow", reason: "It turns back", concept: null };
  const around = (submits ? deedOf(form.action) : null) ?? (CHOOSING.test(role) ? null : conceptOf(dialog));
  if (around) return { judgement: "block", reason: `"${shown}" stands where it would ${around}`, concept: around };
  if (HARMLESS.has(label)) return { judgement: "allow", reason: "Its name is harmless", concept: null };
  if (CHOOSING.test(role)) return { judgement: "allow", reason: "It only chooses", concept: null };
  if (href !== null && /^https?:/i.test(href)) return { judgement: "allow", reason: "It is a link", concept: null };
  if (submits && form.method === "get") return { judgement: "allow", reason: "Its form only asks", concept: null };
  return { judgement: "ask", reason: `What "${shown}" does cannot be told from its name`, concept: null };
}

/** A run asks the same of every click; a directive may be long. */
let lastIntent = { intent: "", concepts: [] as readonly string[] };
function namedIn(intent: string): readonly string[] {
  if (intent !== lastIntent.intent) {
    const cancels = /\bcancel\b/i.test(intent) ? ["cancel"] : [];
    lastIntent = { intent, concepts: [...conceptsIn(intent), ...cancels] };
  }
  return lastIntent.concepts;
}

const RULE = "destructive_action";
const verdict = (kind: Verdict["kind"], reason: string): Verdict => ({ kind, rule: RULE, reason });

export type ClickContext = { origin: Origin; url: string; intent: string; signal: AbortSignal };
type Deps = { guardrails: Pick<Guardrails, "enable_llm_action_check">; askModel?: AskModel };

/** Null: nothing to say. Never throws for want of an answer: that is a block. */
export async function judgeClick(
  target: ClickTarget,
  context: ClickContext,
  { guardrails, askModel }: Deps,
  wording?: Wording,
): Promise<Verdict | null> {
  const { origin, intent, signal } = context;
  const { judgement, reason, concept } = judgeTarget(target, wording);
  if (origin === "author") return judgement === "block" ? verdict("allow", `${reason}; its author wrote it`) : null;
  if (judgement === "allow") return null;
  // Named by whoever asked for the run or wrote the step, it is no longer out of the question; whether it was meant, a model says.
  const wasNamed = concept !== null && namedIn(intent).includes(concept);
  if (judgement === "block" && !wasNamed) return verdict("block", `${reason}, and nobody asked for that`);
  if (!guardrails.enable_llm_action_check) return verdict("allow", `${reason}; enable_llm_action_check is off`);
  if (askModel === undefined) return verdict("block", `${reason}, and no model is configured that could tell`);
  try {
    const answer = await askModel({ target, url: context.url, origin, intent }, signal);
    if (answer === "allow") return verdict("allow", `${reason}; the model allows it`);
    return verdict("block", `${reason}; the model refuses it`);
  } catch {
    signal.throwIfAborted();
    return verdict("block", `${reason}, and the model gave no answer`);
  }
}
