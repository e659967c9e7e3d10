/**
 * What an agent or a recovery is for. Its goal narrows which actions it is offered and which parts of a page it is shown; the router holds it
 * to the same, whatever a model comes up with.
 */
import type { Action, SimpleActionName } from "../../shared/action.ts";
import type { GoalType, Verdict } from "../../shared/guardrails.ts";
import type { ClickTarget } from "../actions/attempt.ts";
import type { MapItem, PageMap } from "../actions/page-map.ts";
import { conceptsIn, conceptsOf, normal, type Wording, wordingOf } from "./concepts.ts";
import { hostOfUrl, hostsIn, isWithin, siteOfUrl } from "./scope-hosts.ts";

/**
 * `hosts` null: no address is out of bounds. `hidesDeeds`: what would do harm is not shown. `named`: the deeds and kinds of account controls that whoever
 * asked for it has named. `urls`: the addresses that they wrote out.
 */
export type Scope = {
  goal: GoalType;
  hosts: readonly string[] | null;
  hidesDeeds: boolean;
  named: { deeds: ReadonlySet<string>; account: ReadonlySet<string> };
  urls: ReadonlySet<string>;
};
/**
 * `intent`: in the words of whoever asked for it. `selectors`: name deeds as those words do, but no hosts (`button.primary`). `urls`: where the work may
 * go besides what the words name.
 */
export type ScopeOptions = {
  goal: GoalType;
  intent: string;
  selectors?: readonly string[];
  urls: readonly (string | null)[];
  hidesDeeds: boolean;
};

const READING = ["goto", "click", "scroll", "wait_for"] as const satisfies SimpleActionName[];
const ALL = [...READING, "key_press", "select", "extract"] as const satisfies SimpleActionName[];
export const SCOPE_ACTIONS: Record<GoalType, readonly SimpleActionName[]> = {
  navigate: READING,
  read: [...READING, "extract"],
  interact: ALL,
  fill_form: ALL,
};

/** What changes who may use an account, or ends it. */
const ACCOUNT: Record<string, RegExp> = {
  leave:
    /\b(?:log|sign)[ -]?(?:out|off)\b|\b(?:abmelden|ausloggen|se deconnecter|deconnexion|cerrar sesion|disconnetti|uitloggen|wyloguj)\b|выйти|退出登录|ログアウト|로그아웃/,
  end: /\b(?:delete|close|remove|deactivate|terminate|cancel)(?: \w+)? account\b|\b(?:konto|account) (?:loschen|schliessen|sluiten|verwijderen)\b|\b(?:supprimer|fermer)(?: \w+)? compte\b|\b(?:eliminar|cerrar)(?: \w+)? cuenta\b|удалить аккаунт|注销|退会/,
  access:
    /\b(?:change|reset|update|set|new)(?: \w+)? (?:password|passcode|pin|e-?mail(?: address)?|phone(?: number)?|passkey)\b|\b(?:two[ -]factor|2fa|recovery codes?|api keys?)\b/,
};
/** Buttons that only turn to more of the same, though a form may hold them. */
const TURNS =
  /^(?:next(?: page)?|prev(?:ious)?(?: page)?|back|first|last|more|details|expand|collapse|close|dismiss|no thanks|\d{1,4}|[<>«»‹›←→×]|(?:show|load|see|view|read)(?: (?:more|all|less|details|\d+))+|(?:accept|reject|decline)(?: all)?(?: cookies)?|weiter|zuruck|mehr|suivant|precedent|siguiente|anterior|avanti|indietro|volgende|vorige|далее|назад|下一页|次へ|다음)$/;

const ABOUT: Record<GoalType, string> = {
  navigate: "to get to a page: forms, and what changes or ends something, are not shown",
  read: "to read: forms, and what changes or ends something, are not shown",
  interact: "to use what a page offers",
  fill_form: "to fill in forms",
};
/** For the model, and for whoever reads the run's events. */
export const aboutScope = ({ goal, hosts }: Scope): string =>
  `${ABOUT[goal]}${hosts ? `; addresses are opened on ${hosts.join(", ")} only` : ""}`;

/** Nothing named anywhere: no address is out of bounds. */
export function createScope({ goal, intent, selectors = [], urls, hidesDeeds }: ScopeOptions): Scope {
  const hosts = [...new Set([...hostsIn(intent), ...urls.flatMap((url) => (url && siteOfUrl(url)) || [])])];
  const asked = normal([intent, ...selectors].join("\n"));
  const account = Object.keys(ACCOUNT).filter((kind) => ACCOUNT[kind]?.test(asked));
  const deeds = [...conceptsIn(asked), ...(account.includes("end") ? ["account"] : [])];
  const named = { deeds: new Set(deeds), account: new Set(account) };
  const written = [...urls, ...(intent.match(/\bhttps?:\/\/[^\s"'<>()]+/gi) ?? []).map((url) => url.replace(/[.,;:!?]+$/, ""))];
  const hrefs = new Set(written.flatMap((url) => (url && URL.parse(url)?.href) || []));
  return { goal, hosts: hosts.length > 0 ? hosts : null, hidesDeeds, named, urls: hrefs };
}

/** Null: nothing against it. `url`: the page that it would be done to. */
export function judgeScope(scope: Scope, action: Action, url: string): Verdict | null {
  if (!SCOPE_ACTIONS[scope.goal].includes(action.action))
    return outside(`${action.action} is not among what a run whose goal is "${scope.goal}" may do (guardrails.goal_type widens it)`);
  if (action.action !== "goto" || scope.hosts === null) return null;
  const host = hostOfUrl(action.params.url);
  if (host === null || isWithin(host, scope.hosts) || host === hostOfUrl(url)) return null; // what is no web address, other rules refuse
  return outside(
    `${host} is not a host that the request names, nor that of the page: follow a link instead, or name it in the directive`,
    host,
  );
}

/** Of a click, once it is known what it would press. */
export function judgeScopedClick(scope: Scope, target: ClickTarget, wording: Wording = wordingOf(target)): Verdict | null {
  const { name, text, submits, form } = target;
  const { label, said, deeds, saidDeeds } = wording;
  const shown = (name || text).slice(0, 80);
  if (isForm(submits && form !== null, label, scope))
    return outside(
      `"${shown}" sends a form, which is not what a run whose goal is "${scope.goal}" is for (guardrails.goal_type widens it)`,
    );
  return !isHidden(scope, label, deeds) && (said === label || !isHidden(scope, said, saidDeeds))
    ? null
    : outside(`"${shown}" is out of bounds for a run whose goal is "${scope.goal}", and nobody asked for it`);
}

/** What of a page belongs to the goal; all text stays. */
export const showInScope = (scope: Scope, map: PageMap): PageMap => ({
  ...map,
  frames: map.frames.map((frame) => ({ ...frame, items: itemsInScope(scope, frame.items) })),
});

export const itemsInScope = (scope: Scope, items: readonly MapItem[]): MapItem[] =>
  items.filter((item) => {
    if (item.kind === "field") return !isNarrow(scope.goal) || (scope.goal === "read" && item.masked !== true && holdsValue(item));
    if (item.kind !== "action" && item.kind !== "link") return true;
    const label = normal(item.name);
    return !isForm(item.submits === true, label, scope) && !isHidden(scope, label, conceptsOf(label));
  });

const isNarrow = (goal: GoalType): boolean => goal === "read" || goal === "navigate";
/** A field is content too, once somebody has filled it in. */
const holdsValue = ({ value, states = [] }: MapItem): boolean => (value ?? "") !== "" || states.includes("checked");

const isForm = (submits: boolean, label: string, { goal }: Scope): boolean => isNarrow(goal) && submits && !TURNS.test(label);

/** Would it do what this goal has no business with, and nobody has named? */
function isHidden({ goal, hidesDeeds, named }: Scope, plain: string, deeds: readonly string[]): boolean {
  const kinds = goal === "fill_form" ? ["end"] : Object.keys(ACCOUNT);
  if (kinds.some((kind) => !named.account.has(kind) && ACCOUNT[kind]?.test(plain))) return true;
  if (!hidesDeeds || goal === "fill_form") return false;
  return deeds.some((deed) => (isNarrow(goal) || deed === "account") && !named.deeds.has(deed));
}

const outside = (reason: string, host?: string): Verdict => ({
  kind: "block",
  rule: "scope",
  reason,
  ...(host === undefined ? {} : { host }),
});
