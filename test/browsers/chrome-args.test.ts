import { describe, expect, it } from "vitest";
import { chromeArgs } from "../../pool/browsers/chrome-args.ts";

const args = (change: Partial<Parameters<typeof chromeArgs>[0]> = {}) =>
  chromeArgs({ profileDir: "/p", proxyUrl: "http://127.0.0.1:4444", sandbox: true, viewport: { width: 800, height: 600 }, ...change });
const names = (list: string[]) => list.map((arg) => arg.split("=")[0]);

describe("Chrome's flags", () => {
  it("lead all traffic through the egress listener", () => {
    expect(args()).toEqual(
      expect.arrayContaining([
        "--proxy-server=http://127.0.0.1:4444",
        "--proxy-bypass-list=<-loopback>",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        "--webrtc-ip-handling-policy=disable_non_proxied_udp",
        "--disable-quic",
      ]),
    );
    expect(args({ proxyUrl: "http://[::1]:5" })).toContain("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE ::1");
  });

  it("let a Chrome that runs share reach the ways out of all its contexts", () => {
    const shared = args({ shared: { proxyHosts: "127.0.0.*" } });
    expect(shared).toContain("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.*");
    expect([shared, args()].map((each) => each.join().includes("NetworkServiceInProcess"))).toEqual([false, true]); // its end is what tells that contexts lost their proxies
  });

  it("open no port, and weaken no guard", () => {
    for (const dangerous of [
      "--remote-debugging-port",
      "--remote-allow-origins",
      "--disable-web-security",
      "--ignore-certificate-errors",
      "--allow-file-access-from-files",
      "--no-sandbox",
    ]) {
      expect(names(args())).not.toContain(dangerous);
    }
    expect(args().join(" ")).not.toMatch(/LocalNetworkAccess/);
    expect(args({ sandbox: false })).toContain("--no-sandbox");
  });

  it("stand there once each: Chrome would take the last and drop the others", () => {
    expect(new Set(names(args())).size).toBe(args().length);
  });
});
