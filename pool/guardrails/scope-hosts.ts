/** The hosts that somebody's words name: where an agent may go by address. */
import { hostOf, parseHost } from "./domains.ts";

/** What looks like a name and a top-level domain, and is a file or a program. */
const NO_DOMAIN =
  /\.(?:pdf|csv|tsv|xlsx?|docx?|pptx?|txt|md|json|xml|ya?ml|html?|css|[cm]?jsx?|tsx?|py|rs|zip|gz|png|jpe?g|gif|svg|net|exe)$/i;
const URLS = /https?:\/\/[^\s"'<>()[\]{}|\\^`]+/gi;
const DOMAINS = /(?<![\p{L}\p{N}@._-])(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}\p{L}{2,24}(?![\p{L}\p{N}@_-])/gu;
const MAX_TEXT = 20_000;

/** In canonical spelling; domains of mail addresses are not among them. */
export function hostsIn(text: string): string[] {
  const cut = text.slice(0, MAX_TEXT);
  const urls = [...cut.matchAll(URLS)].flatMap(([url]) => hostOfUrl(url.replace(/[.,;:!?]+$/, "")) ?? []);
  const bare = [...cut.replace(URLS, " ").matchAll(DOMAINS)].flatMap(([name]) =>
    NO_DOMAIN.test(name) ? [] : (parseHost(name)?.name ?? []),
  );
  return [...new Set([...urls, ...bare])];
}

export const hostOfUrl = (url: string): string | null => (URL.canParse(url) ? (hostOf(new URL(url))?.name ?? null) : null);

/** One of these hosts, or below one. */
export const isWithin = (host: string, hosts: readonly string[]): boolean =>
  hosts.some((each) => host === each || host.endsWith(`.${each}`));

/** `shop` of `www.shop.co.uk`: what people call a site. */
export function brandOf(host: string): string | null {
  const labels = host.split(".");
  if (labels.length < 2 || host.startsWith("[") || /^\d+$/.test(labels.at(-1) ?? "")) return null;
  const isShort = labels.length > 2 && (labels.at(-1) as string).length === 2 && (labels.at(-2) as string).length <= 3;
  return labels.at(isShort ? -3 : -2) ?? null;
}
