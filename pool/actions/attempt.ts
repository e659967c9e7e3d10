/** One try at one action: what it works with, and what it has learned so far. */
import type { Page } from "puppeteer-core";
import type { Action, SimpleActionName } from "../../shared/action.ts";
import type { SecretValue } from "../../shared/secret-value.ts";
import type { Box, ClickTarget } from "./in-page/aim.ts";
import type { Way } from "./in-page/look.ts";
import type { Tabs } from "./tabs.ts";

export type { ClickTarget } from "./in-page/aim.ts";

/** The element that input goes to, in CSS pixels of its own frame; `frameId` is the protocol's. */
export type InputPlace = { frameId: string; x: number; y: number; box: Box };

/** An element that gets no input; `frameId` is the protocol's. */
export type FoundPlace = Way & { frameId: string };

/** Called as an action goes on; the recorder hangs here. */
export type ActionObserver = {
  log(message: string): void;
  /** The element was found that is read, waited for, chosen in or scrolled: it gets no input. */
  found(page: Page, at: FoundPlace): void;
  /** Just before input is sent to the page; again, where that had to be put off. Coordinates are CSS pixels of the page's viewport. */
  input(target: { page: Page; point?: { x: number; y: number }; box?: Box; at?: InputPlace }): Promise<void> | void;
};

export type PerformContext = {
  signal: AbortSignal;
  /** The credential of a name, with where it may be typed. @throws when there is none */
  credential?: (name: string) => SecretValue;
  /** Hears a text that was typed into a password field, before it is: from then on it is a secret. */
  learn?: (text: string) => void;
  /** What `evaluate` sees as `params`. */
  values?: Record<string, string | number | boolean>;
  observe?: ActionObserver;
  /** Which selector of the action's chain found the element: 0 for the primary. */
  onChoice?: (index: number) => void;
  /** Asked just before a click, or Enter or the space bar, reaches what it would press. @throws when that may not be */
  permit?: (target: ClickTarget) => Promise<void>;
};

export type ActionOf<N extends SimpleActionName> = Extract<Action, { action: N }>;

export type Attempt = {
  readonly tabs: Tabs;
  readonly context: PerformContext;
  /** The run's signal and this action's time limit. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** `performance.now()` at which the limit is reached. */
  readonly endAt: number;
  /** Was input already sent? */
  dispatched: boolean;
  /** What stood in the way when it was last tried, for the error. */
  obstacle: string | null;
  /** What must be undone when the time is over, before anything else is tried. Short: it has no limit of its own. */
  whenLate: (() => Promise<void>) | null;
};
