import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classify, parseAddress, samePrefix } from "../../pool/guardrails/addresses.ts";
import { inNetworks, parsePrivateNetworks } from "../../pool/guardrails/private-networks.ts";

describe("parseAddress", () => {
  it("gives an address the bytes that the URL parser gives it", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
        const bytes = parseAddress(address) as Uint8Array;
        expect(bytes).toHaveLength(isIP(address) === 4 ? 4 : 16);
        const hex = Array.from({ length: bytes.length / 2 }, (_, i) =>
          (((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number)).toString(16),
        );
        const canonical = bytes.length === 4 ? [...bytes].join(".") : new URL(`http://[${hex.join(":")}]/`).hostname;
        expect(canonical).toBe(new URL(`http://${bytes.length === 4 ? address : `[${address}]`}/`).hostname);
      }),
    );
  });

  it.each([
    "127.1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "1.2.3.4.",
    " 1.2.3.4",
    "1.2.3",
    "::1%lo",
    "[::1]",
    "1::2::3",
    ":::",
    "",
    "1.2.3.4/8",
    "localhost",
    "١.2.3.4",
  ])("takes %j for no address", (text) => {
    expect(parseAddress(text)).toBeNull();
    expect(classify(text)).toBe("not_an_address");
  });

  it("reads whatever Node calls an address, and nothing else", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."0123456789abcdefx.:%[] /"), maxLength: 24 }), (text) => {
        expect(parseAddress(text) !== null).toBe(isIP(text) !== 0 && !text.includes("%"));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("classify", () => {
  it.each([
    ["loopback", "127.0.0.1", "::1"],
    ["private", "10.0.0.1", "172.16.0.1", "192.168.0.1", "fc00::1", "fd12::1"],
    ["link_local", "169.254.169.254", "fe80::1", "fec0::1"],
    ["shared", "100.64.0.1"],
    ["metadata", "168.63.129.16"],
    ["multicast", "224.0.0.1", "ff02::1"],
    ["embedded_ipv4", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2606:4700::5efe:808:808"],
    ["unspecified", "0.0.0.0", "::"],
    ["reserved", "240.0.0.1", "192.0.2.1", "2001:db8::1", "2001::1", "100::1", "4000::1"],
    ["public", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "168.63.129.15"],
  ])("calls %s what is", (expected, ...addresses) => {
    for (const address of addresses) expect([address, classify(address)]).toEqual([address, expected]);
  });

  it("calls no IPv6 address outside 2000::/3 public", () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const first = (parseAddress(address) as Uint8Array)[0] as number;
        if (first >> 5 !== 1) expect(classify(address)).not.toBe("public");
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("POOL_PRIVATE_NETWORKS", () => {
  const holds = (networks: string, address: string, port: number) =>
    inNetworks(parsePrivateNetworks(networks), parseAddress(address) as Uint8Array, port);

  it.each<[string, string, number, boolean]>([
    ["10.0.0.0/8", "10.255.0.1", 1, true],
    ["10.0.0.0/8", "11.0.0.1", 1, false],
    ["10.0.0.0/8:8080", "10.1.1.1", 8080, true],
    ["10.0.0.0/8:8080", "10.1.1.1", 80, false],
    ["127.0.0.1", "127.0.0.1", 3000, true],
    ["127.0.0.1", "127.0.0.2", 3000, false],
    ["127.0.0.1:3000", "127.0.0.1", 3000, true],
    ["127.0.0.1:3000", "127.0.0.1", 3001, false],
    ["::1", "::1", 80, true],
    ["[::1]:3000", "::1", 3000, true],
    ["[::1]:3000", "::1", 3001, false],
    ["[fd00::]/8:443", "fd12::1", 443, true],
    ["fd00::/8:443", "fd12::1", 443, true],
    ["fd00::/8:443", "fe12::1", 443, false],
    ["192.168.4.0/22", "192.168.7.255", 1, true],
    ["192.168.4.0/22", "192.168.8.0", 1, false],
    ["0.0.0.0/0", "8.8.8.8", 1, true],
    ["0.0.0.0/0", "::1", 1, false],
    ["127.0.0.0/8", "::ffff:127.0.0.1", 1, false],
    [" 10.0.0.0/8 ,, 127.0.0.1 ", "127.0.0.1", 1, true],
    ["", "127.0.0.1", 1, false],
  ])("%j and %s port %i: %s", (networks, address, port, expected) => {
    expect(holds(networks, address, port)).toBe(expected);
  });

  it.each([
    ["10.0.0.1/8", "has bits set after its first 8"],
    ["10.0.0.0/33", "the prefix is at most /32"],
    ["::/129", "the prefix is at most /128"],
    ["localhost", "not an IP address"],
    ["10.0.0", "not an IP address"],
    ["010.0.0.0/8", "not an IP address"],
    ["[10.0.0.0]/8", "not an IP address"],
    ["10.0.0.0/8:0", "the port is 1 to 65535"],
    ["10.0.0.0/8:99999", "the port is 1 to 65535"],
    ["10.0.0.0/", "expected cidr or cidr:port"],
    ["10.0.0.0:80/8", "expected cidr or cidr:port"],
    ["fe80::1%eth0/128", "not an IP address"],
    ["http://10.0.0.1", "expected cidr or cidr:port"],
  ])("refuses %j: %s", (entry, message) => {
    expect(() => parsePrivateNetworks(["127.0.0.1", entry])).toThrow(
      expect.objectContaining({
        code: "VALIDATION_FAILED",
        details: { issues: [{ path: "POOL_PRIVATE_NETWORKS[1]", message: expect.stringContaining(message) }] },
      }),
    );
  });

  it("names every bad entry at once", () => {
    expect(() => parsePrivateNetworks("x, 10.0.0.0/8, y")).toThrow(
      expect.objectContaining({
        details: {
          issues: [
            expect.objectContaining({ path: "POOL_PRIVATE_NETWORKS[0]" }),
            expect.objectContaining({ path: "POOL_PRIVATE_NETWORKS[2]" }),
          ],
        },
      }),
    );
  });

  it("never throws anything but VALIDATION_FAILED, and holds what it parsed", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."0123456789abf.:/[] "), maxLength: 20 }), (text) => {
        try {
          for (const { base, port, bits } of parsePrivateNetworks(text)) {
            expect(inNetworks([{ base, bits, port }], base, port ?? 1)).toBe(true);
            expect(samePrefix(base, base, bits)).toBe(true);
          }
        } catch (error) {
          expect(error).toMatchObject({ code: "VALIDATION_FAILED" });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
