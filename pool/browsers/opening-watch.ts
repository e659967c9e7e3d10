/** Watches a tab being opened: a machine may be as slow as it likes, a browser process that stays silent is broken. */
import type { CDPSession } from "puppeteer-core";
import { answered, beat, type Heartbeat, newHeartbeat, patience } from "./heartbeat.ts";
import { loadPerCpu } from "./machine-load.ts";
import { askBrowser } from "./pulse.ts";

const TICK_MS = 1_000;
/** In ticks, as a lease's (heartbeat.ts), and sooner than there: nothing is lost yet, and the run can have another Chrome. */
const SILENT_TICKS = 4;
/** A Chrome that answers, and yet opens no tab in the time in which another would be launched. */
const TAB_TICKS = 20;

export type OpeningWatchOptions = { loadPerCpu?: () => number; tickMs?: number };

/** `broken` aborts, with an Error that says how. Asks nothing within the first tick, in which nearly all tabs open. */
export type OpeningWatch = Disposable & { readonly broken: AbortSignal };

export function watchOpening(
  session: CDPSession,
  { loadPerCpu: load = loadPerCpu, tickMs = TICK_MS }: OpeningWatchOptions = {},
): OpeningWatch {
  const broken = new AbortController();
  let heart: Heartbeat = newHeartbeat(false);
  let ticks = 0;
  const timer = setInterval(() => {
    const allowed = patience(load());
    const [next, todo] = beat(heart, { restTicks: 1, limitTicks: Math.ceil(SILENT_TICKS * allowed), aidTicks: 0 });
    heart = next;
    const onAnswer = () => {
      heart = answered(heart);
    };
    if (todo === "ask") askBrowser(session).then(onAnswer, onAnswer);
    ticks += 1;
    if (todo === "give up") broken.abort(new Error("The browser process does not answer"));
    else if (ticks >= TAB_TICKS * allowed) broken.abort(new Error("The browser process answers, and opens no tab"));
  }, tickMs).unref();
  return { broken: broken.signal, [Symbol.dispose]: () => clearInterval(timer) };
}
