/** The hosts that somebody's words name: where an agent may go by address. */
import { hostOf, parseHost } from "./domains.ts";

/**
 * Without `https://`, a name counts as a host only under these, or behind `www.`: prose and file names are full of dots. Endings that are words of
 * their own (`it`, `shop`) are not among them, and what begins with a capital begins a sentence ("the form.Test it").
 */
const ENDINGS =
  "com|org|net|edu|gov|info|biz|io|co|ai|app|dev|eu|uk|de|fr|es|nl|pl|ch|se|dk|fi|cz|pt|ie|gr|hu|ro|ca|au|nz|jp|cn|kr|br|mx|ru|ua|za|tr|sg|hk|tw|test|example";
const URLS = /https?:\/\/[^\s"'<>()[\]{}|\\^`]+/gi;
const LABEL = "[\\p{L}\\p{N}](?:[\\p{L}\\p{N}-]{0,61}[\\p{L}\\p{N}])?";
const BARE = new RegExp(
  `(?<![\\p{L}\\p{N}@._/-])(?:(?:${LABEL}\\.){1,8}(?:${ENDINGS})|www\\.(?:${LABEL}\\.){1,8}\\p{L}{2,24})(?![\\p{L}\\p{N}@_-]|\\.[\\p{L}\\p{N}])`,
  "giu",
);
const MAX_TEXT = 20_000;

/** In canonical spelling, without `www.`; domains of mail addresses are not among them. */
export function hostsIn(text: string): string[] {
  const cut = text.slice(0, MAX_TEXT);
  const urls = [...cut.matchAll(URLS)].flatMap(([url]) => siteOfUrl(url.replace(/[.,;:!?]+$/, "")) ?? []);
  const bare = [...cut.replace(URLS, " ").matchAll(BARE)].flatMap(([name]) =>
    /\.\p{Lu}\p{Ll}+$/u.test(name) ? [] : (withoutWww(parseHost(name)?.name) ?? []),
  );
  return [...new Set([...urls, ...bare])];
}

/** Who names `www.shop.test` means `shop.test`. No other part is taken off: what stands beside a host may be somebody else's (`a.github.io`). */
const withoutWww = (host: string | null | undefined): string | null => host?.replace(/^www\.(?=[^.]+\.)/, "") ?? null;
export const siteOfUrl = (url: string): string | null => withoutWww(hostOfUrl(url));

export const hostOfUrl = (url: string): string | null => (URL.canParse(url) ? (hostOf(new URL(url))?.name ?? null) : null);

/** One of these hosts, or below one. */
export const isWithin = (host: string, hosts: readonly string[]): boolean =>
  hosts.some((each) => host === each || host.endsWith(`.${each}`));
