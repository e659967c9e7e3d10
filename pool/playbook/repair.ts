/** From what an agent did to repair a step → how the step would have to be written, so that no agent is needed. Pure. */
import type { Action, Selector } from "../../shared/action.ts";
import type { Playbook, SequenceItem, Step } from "../../shared/playbook.ts";
import type { BoundStep } from "./bind-step.ts";
import { partsOf, withParsedItems } from "./places.ts";
import { toTemplate } from "./retemplate.ts";
import { placeholders } from "./template.ts";

/** One action that succeeded, and what was known of its element just before. `known`: selectors of the step that find it too. */
export type Deed = { action: Action; chain: readonly string[]; known: readonly string[] };

export type Chain = { primary: string; fallbacks: string[] };
/** An action that the step had, by its index, with the chain that it gets where it gets another one; or one that is new. */
export type RepairedItem =
  | { kept: number; chain: Chain | null }
  | { added: { action: "click" | "key_press"; chain: Chain; key: string | null } };
/** `was`: the step as it was written, so that the repair of another step than this is never taken for its own. */
export type Repair = { step: number; was: Step; items: RepairedItem[] };

const MAX_ADDED = 3;
const MAX_NEW_SELECTORS = 6;
const MAX_FALLBACKS = 20;
/** Longer ones are as good as a page's whole text: nobody reads them, and one may be longer than a playbook can have. */
const MAX_SELECTOR_CHARS = 300;
/** They change nothing that a repeated step would have to change too. */
const LOOKS = ["scroll", "wait_for", "extract"];

type Done = {
  playbook: Playbook;
  step: BoundStep;
  deeds: readonly Deed[] /** Does the text show what must not be shown? */;
  isSecret: (text: string) => boolean;
};

/** Why there is nothing to propose, or the repair. */
export function planRepair({ playbook, step, deeds, isSecret }: Done): { why: string } | { repair: Repair } {
  const was = playbook.steps[step.index] as Step;
  const items = step.actions.map(({ action }) => action);
  const done = deeds.filter(({ action: { action } }) => !LOOKS.includes(action) || items.some((item) => item.action === action));
  const places = align(items, done);
  if (!places.some((place) => place !== null)) return { why: "the agent did something else than the step's own action" };
  const first = places.find((place) => place !== null) as number;
  if (items.some((_, i) => i > first && !places.includes(i))) return { why: "the agent did a part of the step only" };

  const chainFor = (deed: Deed, old: Selector | null) => newChain(deed, old, { values: step.values, isSecret });
  const written = partsOf(withParsedItems(was));
  const repaired: RepairedItem[] = items.slice(0, first).map((_, kept) => ({ kept, chain: null }));
  for (const [i, deed] of done.entries()) {
    const place = places[i] as number | null;
    if (place === null) {
      const chain = chainFor(deed, null);
      const added = chain && addedItem(deed.action, chain);
      if (!added) return { why: `what the agent did besides (${deed.action.action}) cannot be said for another run` };
      repaired.push({ added });
      continue;
    }
    const old = written[place]?.part.selector ?? null;
    const isFound = old === null || deed.known.some((each) => chainOf(items[place] as Action).includes(each));
    const chain = isFound ? null : chainFor(deed, old);
    if (!isFound && chain === null) return { why: "nothing tells the element from others that would hold in another run" };
    repaired.push({ kept: place, chain });
  }
  const added = repaired.filter((each) => "added" in each).length;
  if (added > MAX_ADDED) return { why: "the agent needed too many actions" };
  if (added === 0 && repaired.every((each) => "kept" in each && each.chain === null))
    return { why: "the step's own selectors found what it was about: nothing to change" };
  const injected = playbook.parameters.flatMap(({ inject_into }) => (inject_into?.startsWith(`steps.${step.index}.`) ? [inject_into] : []));
  if (injected.some((into) => added > 0 || into.includes(".selector"))) return { why: "a parameter is injected there" };
  if (was.action === "llm_extract") return { why: "its text is read by a model anyway" };
  return { repair: { step: step.index, was, items: repaired } };
}

/** For each deed the item that it did again, the last one first: an agent that tries, ends with what works. */
function align(items: readonly Action[], deeds: readonly Deed[]): (number | null)[] {
  const places: (number | null)[] = deeds.map(() => null);
  let open = items.length - 1;
  for (let i = deeds.length - 1; i >= 0 && open >= 0; i -= 1) {
    const deed = (deeds[i] as Deed).action;
    for (let k = open; k >= 0; k -= 1) {
      if (!isSame(items[k] as Action, deed)) continue;
      places[i] = k;
      open = k - 1;
      break;
    }
  }
  return places;
}

/** But for where. */
const isSame = (item: Action, deed: Action): boolean =>
  item.action === deed.action && canonical(item.params) === canonical(deed.params) && (item.selector === null) === (deed.selector === null);
const canonical = (params: object): string =>
  JSON.stringify(
    Object.entries(params)
      .filter(([, value]) => value !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

const chainOf = ({ selector }: Action): string[] => (selector ? [selector.primary, ...selector.fallbacks] : []);

/** New selectors first, then the old ones, which may hold again one day. */
function newChain(
  { chain }: Deed,
  old: Selector | null,
  { values, isSecret }: Pick<BoundStep, "values"> & Pick<Done, "isSecret">,
): Chain | null {
  const needed = old ? placeholders(old.primary) : [];
  const before = old ? [old.primary, ...old.fallbacks] : [];
  const found = chain.flatMap((each) => (isSecret(each) ? [] : (toTemplate(each, { values, needed }) ?? [])));
  const fresh = [...new Set(found)]
    .filter((each) => each.length <= MAX_SELECTOR_CHARS && !before.includes(each))
    .slice(0, MAX_NEW_SELECTORS);
  const [primary, ...fallbacks] = fresh;
  return primary === undefined ? null : { primary, fallbacks: [...fallbacks, ...before].slice(0, MAX_FALLBACKS) };
}

/** Clicks, and keys without text: whatever is typed or chosen is of this run. */
function addedItem({ action, params }: Action, chain: Chain): Extract<RepairedItem, { added: unknown }>["added"] | null {
  if (action === "click" && params.button === "left" && params.click_count === 1) return { action, chain, key: null };
  if (action === "key_press" && params.text === undefined && params.credential_ref === undefined && params.key !== undefined)
    return { action, chain, key: params.key };
  return null;
}

/** The step with its repair. */
export function repairedStep({ was, items }: Repair): Step {
  const parts = partsOf(withParsedItems(was)).map(({ part }) => part);
  const withChain = (part: (typeof parts)[number], chain: Chain | null): SequenceItem => {
    const selector = chain ? { ...chain, description: part.selector?.description ?? null } : part.selector;
    return { action: part.action as SequenceItem["action"], selector, params: part.params };
  };
  const all = items.map((item): SequenceItem => {
    if ("kept" in item) return withChain(parts[item.kept] as (typeof parts)[number], item.chain);
    const { action, chain, key } = item.added;
    return { action, selector: { ...chain, description: null }, params: key === null ? {} : { key } };
  });
  const [only] = all;
  if (was.action !== "sequence" && all.length === 1 && only) return { ...was, selector: only.selector };
  return { ...was, action: "sequence", selector: null, params: { actions: all } };
}

/** Does it change selectors alone? Then the step keeps its shape. */
export const changesSelectorsOnly = ({ items }: Repair): boolean => items.every((item) => "kept" in item);
