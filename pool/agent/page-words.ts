/** A page's words on their way to a model. */
import type { AgentDeps } from "./deps.ts";
import { cutText } from "./tokens.ts";

/** Cut before they are filtered, which takes its time; masked before they are cut, and again once nothing invisible stands in them. */
export const pageWords = (text: string, maxChars: number, { redact, filterText }: Pick<AgentDeps, "redact" | "filterText">): string =>
  redact(filterText(cutText(redact(text), maxChars)));

/** An error quotes the page; what it says itself stays. */
export const cleanError = (message: string, { redact, filterText }: Pick<AgentDeps, "redact" | "filterText">): string =>
  redact(filterText(message.replace(/"([^"\n]+)"/g, (_all, quoted: string) => `"${filterText(quoted)}"`)));
