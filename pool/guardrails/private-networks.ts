/** `POOL_PRIVATE_NETWORKS`: the networks that are not public and that runs may be let into. */
import { type Issue, validationFailed } from "../../shared/errors.ts";
import { parseAddress, samePrefix } from "./addresses.ts";

/** `port` null: every port. */
export type PrivateNetwork = { base: Uint8Array; bits: number; port: number | null };

/** `10.0.0.0/8`, `10.1.2.3`, `10.0.0.0/8:8080`, `fd00::/8`, `fd00::/8:443`, `[::1]:3000`, `[fd00::]/8`. */
const ENTRY =
  /^(?:\[(?<bracketed>[^\]]*)\]|(?<v6>[^[\]/]*:[^[\]/]*:[^[\]/]*)|(?<v4>[^[\]/:]*))(?:\/(?<bits>\d{1,3}))?(?::(?<port>\d{1,5}))?$/;

/**
 * Takes the variable's text or its entries. A bare address is that one address; an IPv6 address with a port but no prefix needs brackets.
 * @throws VALIDATION_FAILED, one issue for each bad entry
 */
export function parsePrivateNetworks(given: string | readonly string[]): PrivateNetwork[] {
  const entries = (typeof given === "string" ? given.split(",") : given).map((each) => each.trim()).filter((each) => each !== "");
  const issues: Issue[] = [];
  const networks = entries.flatMap((entry, i) => {
    const parsed = parseEntry(entry);
    if (typeof parsed !== "string") return [parsed];
    issues.push({ path: `POOL_PRIVATE_NETWORKS[${i}]`, message: `"${entry}": ${parsed}` });
    return [];
  });
  if (issues.length > 0) throw validationFailed("POOL_PRIVATE_NETWORKS", issues);
  return networks;
}

/** The network, or what is wrong with the entry. */
function parseEntry(entry: string): PrivateNetwork | string {
  const parts = ENTRY.exec(entry)?.groups;
  if (!parts) return "expected cidr or cidr:port, as 10.0.0.0/8 or 127.0.0.1/32:3000 or [::1]/128:3000";
  const base = parseAddress(parts.bracketed ?? parts.v6 ?? parts.v4 ?? "");
  if (base === null || (parts.bracketed !== undefined && base.length === 4)) return "not an IP address";
  const width = base.length * 8;
  const bits = parts.bits === undefined ? width : Number(parts.bits);
  if (bits > width) return `the prefix is at most /${width}`;
  if (base.some((byte, i) => byte & (0xff >> Math.min(8, Math.max(0, bits - i * 8))))) return `has bits set after its first ${bits}`;
  const port = parts.port === undefined ? null : Number(parts.port);
  if (port !== null && (port < 1 || port > 65_535)) return "the port is 1 to 65535";
  return { base, bits, port };
}

/** Does one of the networks hold this address, at this port? */
export const inNetworks = (networks: readonly PrivateNetwork[], address: Uint8Array, port: number): boolean =>
  networks.some((each) => (each.port === null || each.port === port) && samePrefix(address, each.base, each.bits));
