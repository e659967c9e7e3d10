/** Hosts and host rules. Both have one spelling, the one that the URL standard gives, so that comparing them is comparing text. */
import { isIPv4 } from "node:net";

/** `name` as a URL writes it (lower case, punycode, IPv6 in brackets, no dot at the end); `address` the literal without brackets, if it is one. */
export type Host = { name: string; address: string | null };

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const NEVER_IN_HOST = /[\u0000-\u0020\u007f\\/?#@%]/; // a zone, user info and percent-encoding among them
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Any spelling of a host, without port → the canonical one, or null. */
export function parseHost(text: string): Host | null {
  if (text === "" || text.length > 255 || NEVER_IN_HOST.test(text)) return null;
  if (text.includes(":") && !text.startsWith("[")) return null;
  const url = `http://${text}/`;
  return URL.canParse(url) ? hostOf(new URL(url)) : null;
}

/** The host of a parsed http(s) URL, or null for one that no public name has (empty labels, leading hyphens). */
export function hostOf(url: URL): Host | null {
  const hostname = url.hostname;
  if (hostname.startsWith("[")) return { name: hostname, address: hostname.slice(1, -1) };
  if (isIPv4(hostname)) return { name: hostname, address: hostname };
  const name = hostname.endsWith(".") ? hostname.slice(0, -1) : hostname;
  if (name.length > 253 || !name.split(".").every((label) => LABEL.test(label))) return null;
  return { name, address: null };
}

/** `host` or `*.host` in canonical spelling, or null. `*.` goes with names only. */
export function parseHostRule(text: string): string | null {
  const wildcard = text.startsWith("*.");
  const host = parseHost(wildcard ? text.slice(2) : text);
  if (host === null || (wildcard && host.address !== null)) return null;
  return wildcard ? `*.${host.name}` : host.name;
}

/** Does `host` match exactly, or stand below a `*.host`? By hash, label by label: as fast for a thousand rules as for one. */
export function createHostMatcher(rules: readonly string[]): (name: string) => boolean {
  const set = new Set(rules);
  if (set.size === 0) return () => false;
  return (name) => {
    if (set.has(name)) return true;
    for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1)) {
      if (set.has(`*${name.slice(dot)}`)) return true;
    }
    return false;
  };
}

/** Does the wider rule match all that the narrower one matches? */
export const covers = (wider: string, narrower: string): boolean =>
  wider === narrower || (wider.startsWith("*.") && narrower.endsWith(wider.slice(1)));

/** The rules that match what both lists match. Of two rules one covers the other or they share nothing, so the narrower one is their intersection. */
export function intersectRules(a: readonly string[], b: readonly string[]): string[] {
  const both = a.flatMap((x) => b.flatMap((y) => (covers(x, y) ? [y] : covers(y, x) ? [x] : [])));
  return simplifyRules(both);
}

/** Without doubles, and without what another rule covers. */
export function simplifyRules(rules: readonly string[]): string[] {
  const unique = [...new Set(rules)];
  const set = new Set(unique);
  const covered = (rule: string) => {
    const name = rule.startsWith("*.") ? rule.slice(2) : rule;
    for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1)) if (set.has(`*${name.slice(dot)}`)) return true;
    return false;
  };
  return unique.filter((rule) => !covered(rule));
}
