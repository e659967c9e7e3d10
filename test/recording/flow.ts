/** Real actions on a real page, recorded as a session does it: for tests of what a trace then shows. */
import type { Browser, Page } from "puppeteer-core";
import { perform } from "../../pool/actions/perform.ts";
import { takeScreenshot } from "../../pool/actions/screenshot.ts";
import { openTabs, type Tabs } from "../../pool/actions/tabs.ts";
import type { RecorderOptions } from "../../pool/recording/recorder.ts";
import { Redactor } from "../../pool/secrets/redactor.ts";
import type { Action } from "../../shared/action.ts";
import { SecretValue } from "../../shared/secret-value.ts";
import { startRecorder } from "./support.ts";

export const VIEWPORT = { width: 1280, height: 720 };

export type Flow = AsyncDisposable & {
  page: Page;
  tabs: Tabs;
  recorder: Awaited<ReturnType<typeof startRecorder>>["recorder"];
  warnings: Error[];
  act(action: Action): Promise<string | null>;
};

type FlowOptions = Partial<RecorderOptions> & {
  /** What `credential_ref` stands for. */
  credentials?: Record<string, string>;
  /** Does each action wait for what it has started, and is a picture taken after it? */
  rests?: boolean;
  pictures?: boolean;
};

/** Dispose it, or its page stays. */
export async function openFlow(
  browser: Browser,
  dir: string,
  { credentials = {}, rests = true, pictures = true, ...options }: FlowOptions = {},
): Promise<Flow> {
  const page = await browser.newPage();
  await page.setViewport(VIEWPORT);
  const redactor = new Redactor(Object.entries(credentials).map(([name, value]) => new SecretValue(name, value)));
  const mask = { mask: redactor.text, learn: (secret: string) => redactor.learn(new SecretValue("typed", secret)) };
  const { recorder, warnings } = await startRecorder(dir, { takePicture: takeScreenshot, ...mask, ...options });
  const { signal } = new AbortController();
  const tabs = await openTabs(page, { signal, viewport: VIEWPORT, onPage: (each) => recorder.attach(each) });
  let seq = 0;
  return {
    page,
    tabs,
    recorder,
    warnings,
    async act(action) {
      const recording = recorder.action({ seq: ++seq, action, title: null, page: tabs.active() });
      let failure: unknown = null;
      const credential = (name: string) => new SecretValue(name, credentials[name] ?? "");
      const done = await perform(tabs, action, { signal, credential, learn: mask.learn, observe: recording.observer }).catch(
        (error: unknown) => {
          failure = error;
          return null;
        },
      );
      if (rests) await tabs.settled(signal, "picture");
      if (pictures) await recording.screenshot(tabs.active(), action.action, signal);
      recording.end({ error: failure === null ? null : (failure as Error).message, resultText: done?.text ?? null });
      return done?.text ?? null;
    },
    async [Symbol.asyncDispose]() {
      await recorder.finish();
      for (const each of await browser.pages()) if (each === page || each === tabs.active()) await each.close().catch(() => {});
      await tabs[Symbol.asyncDispose]();
    },
  };
}
