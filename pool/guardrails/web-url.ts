/** URLs from outside (a playbook, a request, a model) → parsed web URLs, or what is wrong with them. */
import type { Verdict } from "../../shared/guardrails.ts";
import { hostOf } from "./domains.ts";

export type Block = Verdict & { kind: "block" };

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/; // the URL parser would drop tabs and line breaks, and `fi\tle:` be a scheme
const AROUND = /^[\t\n\f\r ]+|[\t\n\f\r ]+$/g;
const SCHEME = /^([a-z][a-z0-9+.-]*):/i;

const refuse = (rule: string, reason: string): Block => ({ kind: "block", rule, reason });

/** The parsed URL, with a host that can exist, or why not. The URL is not repeated in the reason: it may hold a secret. */
export function readWebUrl(given: string): URL | Block {
  const text = given.replace(AROUND, "");
  if (CONTROL.test(text)) return refuse("url", "The URL has control characters in it");
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return refuse("url", "The URL is not absolute: it starts with http:// or https://");
  if (scheme !== "http" && scheme !== "https")
    return refuse("url_scheme", `Only http: and https: lead to web pages, not ${scheme.slice(0, 40)}:`);
  const rest = text.slice(scheme.length + 1);
  if (/^[^?#]*\\/.test(rest)) return refuse("url", "The URL has a backslash before its query");
  if (/^\/*[^/?#]*@/.test(rest)) return refuse("url_userinfo", "The URL has a user name or a password in it");
  if (!URL.canParse(text)) return refuse("url", "The URL cannot be parsed");
  const url = new URL(text);
  return hostOf(url) === null ? refuse("url", "The URL's host is not one that can exist") : url;
}

export const portOf = (url: URL): number => (url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port));
