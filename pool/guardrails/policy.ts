/** What a run may reach: guardrails → a verdict on a URL, or on a host and port with the addresses to dial. */
import { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { DEFAULT_LIST, type Guardrails, type Verdict } from "../../shared/guardrails.ts";
import { classify, parseAddress } from "./addresses.ts";
import { isBackgroundHost } from "./background-hosts.ts";
import { DEFAULT_BLOCKED } from "./defaults.ts";
import { createHostMatcher, type Host, hostOf, parseHost } from "./domains.ts";
import { BLOCKED_PORTS } from "./ports.ts";
import { inNetworks, type PrivateNetwork } from "./private-networks.ts";
import { type Resolve, systemResolve } from "./resolve.ts";
import { type Block, portOf, readWebUrl } from "./web-url.ts";

/** The one place to connect to: these addresses, in this order of preference, and no other. */
export type Target = { kind: "allow"; host: string; port: number; addresses: readonly string[] };

export type Policy = {
  /** For URLs that somebody wants to go to. Resolves the name. */
  judgeUrl(url: string): Promise<Verdict>;
  /** For whoever connects. `host` in any spelling, IPv6 in brackets. */
  judgeHost(host: string, port: number): Promise<Target | Block>;
  /** For the address of a page that is already there: all that can be said without resolving. Null: nothing against it. */
  judgeShown(url: string): Block | null;
};

export type PolicyOptions = {
  /** What the operator listed; counts only where the guardrails say `allow_private_networks`. */
  privateNetworks: readonly PrivateNetwork[];
  resolve?: Resolve;
  /** Milliseconds on any steady clock. */
  now?: () => number;
};

const BY_DEFAULT = "is in the default blocked_domains; setting blocked_domains or allowed_domains takes their place";
const ALLOW: Verdict = { kind: "allow", rule: "url", reason: "The URL is allowed" };
const DNS_CACHE_MS = 5_000;
const CACHED_VERDICTS = 1_000;
/** Names that no public server has; a single label is one too. RFC 6761, 6762, 8375, 9476, ICANN's `internal` and what routers use. */
const RESERVED = /(?:^|\.)(?:localhost|localdomain|local|internal|intranet|lan|home|corp|private|arpa|onion|alt)$|^[^.]*$/;
const LOOPBACK = ["127.0.0.1", "::1"];

/** Builds; nothing is resolved before something is judged. Fixed for its life: a run's guardrails do not change. */
export function createPolicy(guardrails: Guardrails, options: PolicyOptions): Policy {
  const { resolve = systemResolve, now = () => performance.now() } = options;
  const networks = guardrails.allow_private_networks ? options.privateNetworks : [];
  const privateNetwork = (host: string, reason: string): Block =>
    block("private_network", `${reason}; ${closed(guardrails, options)}`, host);
  const allows = guardrails.allowed_domains === null ? null : createHostMatcher(guardrails.allowed_domains);
  const names = new Set(guardrails.allowed_domains);
  const blocks = createHostMatcher(guardrails.blocked_domains.filter((rule) => rule !== DEFAULT_LIST));
  const blocksByDefault = guardrails.blocked_domains.includes(DEFAULT_LIST) ? createHostMatcher(DEFAULT_BLOCKED) : () => false;
  const own = ownAddresses();
  const judged = new Map<string, { verdict: Promise<Target | Block>; until: number }>();

  const listed = (address: string, port: number) => {
    const bytes = parseAddress(address);
    return bytes !== null && inNetworks(networks, bytes, port);
  };
  const isPublic = (address: string) => classify(address) === "public" && !own.has(String(parseAddress(address)));
  const reachable = (address: string, port: number) => listed(address, port) || isPublic(address);

  /** Everything but the answers of DNS. */
  const refusal = ({ name, address }: Host, port: number): Block | null => {
    if (isBackgroundHost(name) && !names.has(name)) return block("chrome_background", `${name} is what Chrome itself talks to`, name);
    if (address !== null && !reachable(address, port)) return privateNetwork(name, `${name} is not a public address`);
    if (/(?:^|\.)invalid$/.test(name)) return block("dns", `${name} does not resolve: no name that ends in "invalid" ever does`, name);
    if (address === null && networks.length === 0 && RESERVED.test(name)) {
      return privateNetwork(name, `${name} is a name of private networks`);
    }
    if (blocks(name)) return block("blocked_domains", `${name} is in blocked_domains`, name);
    if (blocksByDefault(name)) return block("blocked_domains", `${name} ${BY_DEFAULT}`, name);
    if (allows !== null && !allows(name)) return block("allowed_domains", `${name} is not in allowed_domains`, name);
    if (BLOCKED_PORTS.has(port)) return block("port", `Port ${port} is not one for web pages`, name);
    return null;
  };

  const judge = async (text: string, port: number): Promise<Target | Block> => {
    const host = parseHost(text);
    if (host === null) return block("url", "This is not a host");
    const refused = refusal(host, port);
    if (refused !== null) return refused;
    const { name, address } = host;
    if (address !== null) return { kind: "allow", host: name, port, addresses: [address] };
    if (name === "localhost" || name.endsWith(".localhost")) {
      const addresses = LOOPBACK.filter((each) => listed(each, port)); // RFC 6761: never asked of a resolver
      return addresses.length > 0 ? { kind: "allow", host: name, port, addresses } : privateNetwork(name, `${name} is this machine itself`);
    }
    const answers = await resolve(name).catch(() => []);
    if (answers.length === 0) return block("dns", `${name} does not resolve: there was no address to connect to`, name);
    const fits = RESERVED.test(name) ? listed : reachable;
    if (!answers.every((each) => fits(each, port))) return privateNetwork(name, `${name} leads to an address that is not public`);
    return { kind: "allow", host: name, port, addresses: [...answers].sort((a, b) => Number(isIPv4(b)) - Number(isIPv4(a))) };
  };

  const judgeHost = (host: string, port: number): Promise<Target | Block> => {
    const key = `${host}:${port}`;
    const known = judged.get(key);
    if (known !== undefined && now() < known.until) return known.verdict;
    if (judged.size >= CACHED_VERDICTS) judged.clear();
    const entry = { verdict: judge(host, port), until: Number.POSITIVE_INFINITY };
    judged.set(key, entry);
    void entry.verdict.then((verdict) => {
      // what did not resolve is asked again at once: a retry a second later deserves a fresh answer
      entry.until = verdict.kind === "block" && verdict.rule === "dns" ? 0 : now() + DNS_CACHE_MS;
    });
    return entry.verdict;
  };

  return {
    judgeHost,
    async judgeUrl(text) {
      if (/^about:blank$/i.test(text)) return ALLOW;
      const url = readWebUrl(text);
      if (!(url instanceof URL)) return url;
      const verdict = await judgeHost(url.hostname, portOf(url));
      return verdict.kind === "allow" ? { ...ALLOW, host: verdict.host } : verdict;
    },
    judgeShown(text) {
      const url = readWebUrl(text);
      if (!(url instanceof URL)) return url;
      const host = hostOf(url);
      return host === null ? null : refusal(host, portOf(url));
    },
  };
}

const block = (rule: string, reason: string, host?: string): Block => ({
  kind: "block",
  rule,
  reason,
  ...(host === undefined ? {} : { host }),
});

/** The node's own addresses may be public ones; what listens there is still its own. Bytes as text. */
const ownAddresses = (): Set<string> =>
  new Set(
    Object.values(networkInterfaces()).flatMap((each) =>
      (each ?? []).map(({ address }) => String(parseAddress(address.replace(/%.*/, "")))),
    ),
  );

/** What would have to be set for a private address to be reached. */
function closed({ allow_private_networks }: Guardrails, { privateNetworks }: PolicyOptions): string {
  const missing = [
    ...(allow_private_networks ? [] : ["allow_private_networks is off"]),
    ...(allow_private_networks || privateNetworks.length === 0 ? ["the operator's POOL_PRIVATE_NETWORKS does not list it"] : []),
  ];
  return missing.join(" and ");
}
