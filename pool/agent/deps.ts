/** What the session lends an agent. Each is a function, so that who guards, masks or filters is the session's to say. */
import type { Action, Selector, SimpleActionName } from "../../shared/action.ts";
import type { Verdict } from "../../shared/guardrails.ts";
import type { Verify } from "../../shared/playbook.ts";
import type { MapItem, PageMap } from "../actions/page-map.ts";
import type { Answer, Question } from "../llm/llm.ts";

/** Of a page. `left`: how many items are not among them; `truncated`: nor all that is behind them. */
export type Part = { items: MapItem[]; left: number; truncated: boolean };

/** The page, as an agent may look at it. */
export type View = {
  map(): Promise<PageMap>;
  /** As `map`, with all of a large page. */
  mapAll(): Promise<PageMap>;
  /** What is below an element. @throws ActionError */
  part(selector: Selector): Promise<Part>;
  picture(): Promise<Uint8Array>;
  /** Another one: another page has come. */
  stamp(): Promise<string>;
  url(): string;
};

export type AgentDeps = {
  view: View;
  /**
   * Performs an action; guardrails, log and events included. `hear` is told what they remark; `more`: another of the same sequence follows.
   * @throws what went wrong
   */
  act(action: Action, hear: (verdict: Verdict) => void, more: boolean): Promise<{ text: string | null; summary: string }>;
  /** @throws when it does not hold */
  verify(verify: Verify): Promise<void>;
  /** Asks the model; counts, and ends with the run. @throws LLM_ERROR */
  ask(question: Pick<Question, "system" | "messages" | "tools">): Promise<Answer>;
  /** What the work is for: no other action is offered, and none outside of it is done. `about`: for the model. */
  scope: { actions: readonly SimpleActionName[]; about: string; holds(action: Action): boolean };
  /** Masks secrets, in whatever goes to the model. */
  redact(text: string): string;
  /** Takes out what a page's words must not do to the model. What `view` shows went through it. */
  filterText(text: string): string;
  /** The same of an address that `view.url` tells; a page chooses its path. */
  filterUrl(url: string): string;
  signal: AbortSignal;
};
