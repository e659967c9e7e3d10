/** Captchas: seen after what may have brought one, and waited for. They are never solved by us; some let a browser through by themselves. */
import { pause } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { CaptchaSign } from "./in-page/captcha.ts";
import { FrameGone } from "./page-link.ts";
import type { Tabs } from "./tabs.ts";

export type CaptchaWatch = {
  /**
   * After a navigation or a click: what is to be said of a captcha, null when there is none. Each page is waited for once.
   * @throws CAPTCHA_FAILED: nothing but the captcha is there, and it does not go away
   */
  check(signal: AbortSignal): Promise<string | null>;
  /** The error of a run that failed; CAPTCHA_FAILED where a captcha still stands unsolved on its page. */
  explain(error: unknown, signal: AbortSignal): Promise<unknown>;
};

/** How long one that blocks the page may take, and one that is a part of it. */
const LIMITS = { blockingMs: 30_000, widgetMs: 5_000 };
const POLL_MS = 500;
/** A page that hangs says nothing of a captcha, and must not hide what is known already. */
const LOOK_MS = 2_000;

export function createCaptchaWatch(tabs: Tabs, { blockingMs, widgetMs } = LIMITS): CaptchaWatch {
  let waitedFor: string | null = null;

  async function look(signal: AbortSignal): Promise<{ sign: CaptchaSign | null; page: string }> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]);
    let page = "";
    try {
      const link = await tabs.ready(limited);
      page = `${link.activity.mainFrame} ${link.activity.document.count}`;
      return { sign: await link.call(link.main, "captcha", undefined, limited), page };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof FrameGone || limited.aborted) return { sign: null, page }; // the next page says what is on it
      throw error;
    }
  }

  return {
    async check(signal) {
      let { sign, page } = await look(signal);
      if (sign === null || sign.solved) return null;
      const { name, blocks } = sign;
      const open = `${name} on this page is not solved`;
      if (page === waitedFor) return open;
      const endAt = performance.now() + (blocks ? blockingMs : widgetMs);
      while (sign !== null && !sign.solved && performance.now() < endAt) {
        await pause(Math.min(POLL_MS, Math.max(1, endAt - performance.now())), signal);
        ({ sign, page } = await look(signal));
      }
      if (sign === null || sign.solved) return `${name} was on the page, and has let us through`;
      if (sign.blocks) throw failed(`${name} did not let the browser through within ${blockingMs / 1000} s`, name);
      waitedFor = page;
      return open;
    },
    async explain(error, signal) {
      if (!(error instanceof AppError) || error.code !== "STEP_FAILED" || signal.aborted) return error;
      const { sign } = await look(signal).catch(() => ({ sign: null }));
      return sign && !sign.solved ? failed(`${sign.name} on the page is not solved: ${error.message}`, sign.name, error) : error;
    },
  };
}

const failed = (message: string, captcha: string, cause?: AppError): AppError =>
  new AppError("CAPTCHA_FAILED", message, { cause, details: { ...cause?.details, captcha } });
