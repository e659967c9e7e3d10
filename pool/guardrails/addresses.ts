/** IP addresses as bytes, and what kind of place they lead to. Strict: only what the URL parser writes is an address here. */
import { isIPv4, isIPv6 } from "node:net";

export type AddressClass =
  | "public"
  | "unspecified"
  | "loopback"
  | "private"
  | "link_local"
  | "shared"
  | "metadata"
  | "multicast"
  | "embedded_ipv4"
  | "reserved"
  | "not_an_address";

/** 4 or 16 bytes, or null. Takes no zone (`%eth0`), no brackets and none of the old spellings of IPv4 (`127.1`, `0x7f.1`). */
export function parseAddress(text: string): Uint8Array | null {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  if (!isIPv6(text) || text.includes("%")) return null;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const hex = dotted
    ? `${dotted[1]}${(Number(dotted[2]) * 256 + Number(dotted[3])).toString(16)}:${(Number(dotted[4]) * 256 + Number(dotted[5])).toString(16)}`
    : text;
  const [before = "", after] = hex.split("::");
  const left = before === "" ? [] : before.split(":");
  const right = after === undefined || after === "" ? [] : after.split(":");
  const groups = [...left, ...new Array<string>(8 - left.length - right.length).fill("0"), ...right].map((group) =>
    Number.parseInt(group, 16),
  );
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** Are the first `bits` bits of both the same? Addresses of different length never match. */
export function samePrefix(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  if (a.length !== b.length) return false;
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  const rest = bits & 7;
  return rest === 0 || ((a[whole] as number) ^ (b[whole] as number)) >> (8 - rest) === 0;
}

type Block = { base: Uint8Array; bits: number; class: AddressClass };
const block = (cidr: string, kind: AddressClass): Block => {
  const [base, bits] = cidr.split("/") as [string, string];
  return { base: parseAddress(base) as Uint8Array, bits: Number(bits), class: kind };
};

/** IANA's IPv4 special-purpose registry, multicast and class E. */
const IPV4_BLOCKS = [
  block("0.0.0.0/8", "unspecified"),
  block("10.0.0.0/8", "private"),
  block("100.64.0.0/10", "shared"),
  block("127.0.0.0/8", "loopback"),
  block("169.254.0.0/16", "link_local"),
  block("172.16.0.0/12", "private"),
  block("192.0.0.0/24", "reserved"),
  block("192.0.2.0/24", "reserved"),
  block("192.31.196.0/24", "reserved"),
  block("192.52.193.0/24", "reserved"),
  block("192.88.99.0/24", "reserved"),
  block("192.168.0.0/16", "private"),
  block("192.175.48.0/24", "reserved"),
  block("198.18.0.0/15", "reserved"),
  block("198.51.100.0/24", "reserved"),
  block("203.0.113.0/24", "reserved"),
  block("224.0.0.0/4", "multicast"),
  block("240.0.0.0/4", "reserved"),
  block("168.63.129.16/32", "metadata"), // Azure's wire server: a public address that means this host
];

/** Only 2000::/3 is global unicast; these are the special blocks inside it. */
const IPV6_GLOBAL = block("2000::/3", "public");
const IPV6_BLOCKS = [
  block("2001::/23", "reserved"), // Teredo, ORCHID and the rest of IETF's own
  block("2001:db8::/32", "reserved"),
  block("2002::/16", "embedded_ipv4"), // 6to4
  block("3fff::/20", "reserved"),
  block("2620:4f:8000::/48", "reserved"),
];
/** Names for what lies outside 2000::/3; everything there is refused, named or not. */
const IPV6_NAMED = [
  block("::/128", "unspecified"),
  block("::1/128", "loopback"),
  block("::ffff:0:0/96", "embedded_ipv4"),
  block("64:ff9b::/32", "embedded_ipv4"),
  block("fc00::/7", "private"),
  block("fe80::/9", "link_local"), // link-local and the site-local of old
  block("ff00::/8", "multicast"),
];

/** What kind of place an address is. Anything but `public` is refused unless the operator listed it. */
export function classify(address: string): AddressClass {
  const bytes = parseAddress(address);
  return bytes === null ? "not_an_address" : classifyBytes(bytes);
}

function classifyBytes(bytes: Uint8Array): AddressClass {
  const within = (each: Block) => samePrefix(bytes, each.base, each.bits);
  if (bytes.length === 4) return IPV4_BLOCKS.find(within)?.class ?? "public";
  if (!within(IPV6_GLOBAL)) return IPV6_NAMED.find(within)?.class ?? "reserved";
  if (((bytes[8] as number) & 0xfd) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe) return "embedded_ipv4"; // ISATAP
  return IPV6_BLOCKS.find(within)?.class ?? "public";
}
