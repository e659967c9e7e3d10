/** Every flag Chrome is started with, each with its reason. Nobody can add one: a flag can undo any guard. */

/** CSS pixels. */
export type Viewport = { width: number; height: number };

export type ChromeArgs = {
  profileDir: string;
  /** Address of the Chrome's own egress listener, e.g. `http://127.0.0.1:40123`. */
  proxyUrl: string;
  /** Runs share it: where their listeners are, as a pattern of hosts. */
  shared?: { proxyHosts: string };
  sandbox: boolean;
  viewport: Viewport;
};

/** The run's traffic leaves through its egress listener and by no other way. */
const egressArgs = (proxyUrl: string, proxyHosts: string): string[] => [
  `--proxy-server=${proxyUrl}`,
  "--proxy-bypass-list=<-loopback>", // without it Chrome goes to localhost and link-local addresses directly
  `--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE ${proxyHosts}`, // should anything go around the proxy, it finds no address
  "--webrtc-ip-handling-policy=disable_non_proxied_udp", // STUN and its DNS query are UDP: no proxy sees them
  "--force-webrtc-ip-handling-policy=disable_non_proxied_udp", // the same, as the headless shell calls it
  "--disable-quic", // the same, for HTTP/3
  "--no-pings", // <a ping>
  "--disable-background-networking", // what Chrome asks for on its own account, here and in the next five
  "--disable-component-update",
  "--disable-domain-reliability",
  "--disable-client-side-phishing-detection",
  "--disable-sync",
  "--metrics-recording-only",
  "--disable-breakpad", // crash reports hold pages' memory, and their handler would outlive Chrome
  "--disable-crash-reporter",
];

/** The same page behaves the same every time, watched or not. */
const STEADY = [
  "--headless=new",
  "--site-per-process", // a frame of another site that hangs does not hang the page; the headless shell has to be told
  "--disable-gpu", // a node has none; without this Chrome starts a GPU process to find out
  "--disable-dev-shm-usage", // containers have 64 MB of /dev/shm; shared memory goes to TMPDIR, in our folder
  "--disable-field-trial-config", // Chromium builds switch on unfinished features for testing otherwise
  "--disable-background-timer-throttling", // a popup puts its opener into the background: it goes on, here and in the next two
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--disable-ipc-flooding-protection", // a run's many quick navigations are no attack
  "--disable-hang-monitor", // health.ts decides what hangs
  "--disable-popup-blocking", // a popup opened by the click of a playbook is wanted
  "--disable-prompt-on-repost",
  "--deny-permission-prompts", // location, notifications, …: a page gets its answer at once, nobody is there to ask
  "--allow-pre-commit-input", // input right after a navigation is not dropped
  "--enable-automation", // no bars, no offers to save passwords; tells pages the truth in navigator.webdriver
  "--force-color-profile=srgb", // pictures have the same colours on every machine
  "--hide-scrollbars", // nor depend on the desktop's scrollbars
  "--lang=en-US", // nor on the machine's language
  "--mute-audio",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-default-apps",
  "--disable-extensions",
  "--disable-component-extensions-with-background-pages", // each would be one process more
  "--disable-search-engine-choice-screen",
  "--password-store=basic", // no desktop keyring, which may ask for a password
  "--use-mock-keychain", // the same on macOS
  "--disk-cache-size=104857600", // bytes: a run cannot fill the disk, or its memory, with its cache
  "--disable-gpu-shader-disk-cache", // fifteen files for shaders that are never compiled
];

const DISABLED_FEATURES = [
  "AcceptCHFrame", // restarts navigations: crbug.com/1348106
  "AutofillServerCommunication", // asks a server about every form
  "CertificateTransparencyComponentUpdater", // fetches lists
  "DialMediaRouteProvider", // looks for televisions on the local network, as the next
  "MediaRouter",
  "HttpsUpgrades", // asks for https first where a playbook says http
  "IsolateSandboxedIframes", // puppeteer loses such frames: puppeteer/puppeteer#10715
  "LensOverlay",
  "OptimizationHints", // fetches hints per host
  "PaintHolding", // a picture after a navigation would show the page before
  "ProcessPerSiteUpToMainFrameThreshold", // a popup must not hang with its opener: crbug.com/1492053
  "SpareRendererForSitePerProcess", // a renderer for the next site as soon as a page is there: a tenth of a launch, and few runs have a next site
  "Translate", // changes the page's texts
  "WebUIOmniboxAimPopup", // parts of Chrome's own window that are web pages: a renderer process more, as the next two
  "WebUIOmniboxPopup",
  "WebUIReloadButton",
];

/**
 * Where a run has a Chrome of its own, its network service is a thread of it: a tenth of a launch, 10 MB, and one end for both. Neither has a
 * sandbox of its own on Linux. A shared Chrome keeps the process: shared-chrome.ts watches it.
 */
const ENABLED_ALONE = "--enable-features=NetworkServiceInProcess2";

export const hostOf = (url: string): string => new URL(url).hostname.replace(/^\[|\]$/g, "");

export function chromeArgs({ profileDir, proxyUrl, shared, sandbox, viewport }: ChromeArgs): string[] {
  return [
    "--remote-debugging-pipe", // no port that a page could reach; and the life-line: see pipe-transport.ts
    `--user-data-dir=${profileDir}`,
    ...(sandbox ? [] : ["--no-sandbox"]), // only where sandbox.ts found that the machine has none to give
    `--window-size=${viewport.width},${viewport.height}`, // popups start with the size of the window
    ...egressArgs(proxyUrl, shared?.proxyHosts ?? hostOf(proxyUrl)),
    ...STEADY,
    ...(shared ? [] : [ENABLED_ALONE]),
    `--disable-features=${DISABLED_FEATURES.join(",")}`,
    "about:blank", // the one tab, which becomes the run's
  ];
}
