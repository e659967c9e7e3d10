/** Answers `alert`, `confirm`, `prompt` and `beforeunload` on every page of a run, from its first script on: an open dialog stops everything. */
import { type CDPSession, CDPSessionEvent, type Connection, type Protocol } from "puppeteer-core";

export type DialogNotice = { type: Protocol.Page.DialogType; message: string; url: string; accepted: boolean };

/**
 * A prompt is dismissed, everything else accepted. Pages to come are covered before their first script runs: Chrome holds a new page until
 * puppeteer lets it go, and our listening is sent before that.
 */
export async function answerDialogs(session: CDPSession, onDialog: (notice: DialogNotice) => void): Promise<Disposable> {
  const connection = session.connection() as Connection; // open: the session was just made
  const { targetInfo } = await session.send("Target.getTargetInfo");
  const watched = new Map<CDPSession, (event: Protocol.Page.JavascriptDialogOpeningEvent) => void>();

  const watch = (each: CDPSession) => {
    const onOpening = (event: Protocol.Page.JavascriptDialogOpeningEvent) => void answer(each, event);
    watched.set(each, onOpening);
    each.on("Page.javascriptDialogOpening", onOpening);
  };
  const answer = async (each: CDPSession, { type, message, url }: Protocol.Page.JavascriptDialogOpeningEvent) => {
    const accepted = type !== "prompt";
    try {
      const about = await each.send("Target.getTargetInfo"); // the connection of a Chrome that is shared, or remote, serves other runs too
      if (about.targetInfo.browserContextId !== targetInfo.browserContextId) return;
      await each.send("Page.handleJavaScriptDialog", { accept: accepted });
    } catch {
      return; // a page has several sessions, each hears of its dialog, and one was first
    }
    onDialog({ type, message: message.slice(0, 500), url, accepted });
  };
  const onAttached = (each: CDPSession) => {
    watch(each);
    each.send("Page.enable").catch(() => {}); // a worker, or gone already
  };

  const onDetached = (each: CDPSession) => void watched.delete(each); // beside a long run many others may come and go on the connection

  watch(session);
  connection.on(CDPSessionEvent.SessionAttached, onAttached);
  connection.on(CDPSessionEvent.SessionDetached, onDetached);
  return {
    [Symbol.dispose]() {
      connection.off(CDPSessionEvent.SessionAttached, onAttached);
      connection.off(CDPSessionEvent.SessionDetached, onDetached);
      for (const [each, onOpening] of watched) each.off("Page.javascriptDialogOpening", onOpening);
    },
  };
}
