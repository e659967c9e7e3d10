/** Answers `alert`, `confirm`, `prompt` and `beforeunload` on every page of a run, from its first script on: an open dialog stops everything. */
import { type CDPSession, CDPSessionEvent, type Connection, type Protocol } from "puppeteer-core";

export type DialogNotice = { type: Protocol.Page.DialogType; message: string; url: string; accepted: boolean };

/**
 * A prompt is dismissed, everything else accepted. Pages to come are covered before their first script runs: Chrome holds a new page until
 * puppeteer lets it go, and our listening is sent before that. The connection of a Chrome that is shared, or remote, serves other runs too:
 * nothing is sent to their pages.
 */
export async function answerDialogs(session: CDPSession, onDialog: (notice: DialogNotice) => void): Promise<Disposable> {
  const connection = session.connection() as Connection; // open: the session was just made
  const own = (await session.send("Target.getTargetInfo")).targetInfo.browserContextId;

  const answer = async (each: CDPSession, { type, message, url }: Protocol.Page.JavascriptDialogOpeningEvent) => {
    const accepted = type !== "prompt";
    try {
      await each.send("Page.handleJavaScriptDialog", { accept: accepted });
    } catch {
      return; // a page has several sessions, each hears of its dialog, and one was first
    }
    onDialog({ type, message: message.length > 500 ? `${message.slice(0, 500)}…` : message, url, accepted });
  };
  const watched = new Map<CDPSession, (event: Protocol.Page.JavascriptDialogOpeningEvent) => void>();
  const watch = (each: CDPSession) => {
    const onOpening = (event: Protocol.Page.JavascriptDialogOpeningEvent) => void answer(each, event);
    watched.set(each, onOpening);
    each.on("Page.javascriptDialogOpening", onOpening);
  };
  /** Says of what a new session is, to the session that it came by: a page's to its tab's. */
  const onTarget = ({ sessionId, targetInfo }: Protocol.Target.AttachedToTargetEvent) => {
    const each = connection.session(sessionId);
    if (each === null || targetInfo.browserContextId !== own || !/^(?:page|iframe)$/.test(targetInfo.type)) return;
    watch(each);
    each.send("Page.enable").catch(() => {}); // gone already
  };
  const parents = new Set<CDPSession>();
  const onAttached = (each: CDPSession) => {
    parents.add(each);
    each.on("Target.attachedToTarget", onTarget); // before puppeteer listens there, and so before it lets the new page go
  };
  const onDetached = (each: CDPSession) => {
    watched.delete(each); // beside a long run many others may come and go on the connection
    parents.delete(each);
  };

  watch(session);
  onAttached(session);
  connection.on("Target.attachedToTarget", onTarget);
  connection.on(CDPSessionEvent.SessionAttached, onAttached);
  connection.on(CDPSessionEvent.SessionDetached, onDetached);
  return {
    [Symbol.dispose]() {
      connection.off("Target.attachedToTarget", onTarget);
      connection.off(CDPSessionEvent.SessionAttached, onAttached);
      connection.off(CDPSessionEvent.SessionDetached, onDetached);
      for (const each of parents) each.off("Target.attachedToTarget", onTarget);
      for (const [each, onOpening] of watched) each.off("Page.javascriptDialogOpening", onOpening);
    },
  };
}
