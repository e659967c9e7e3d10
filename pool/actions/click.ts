/** Clicking: at a point where the click reaches the element, once it stands still there. */
import type { CDPSession } from "puppeteer-core";
import { pause, untilAborted } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import type { ActionOf, Attempt } from "./attempt.ts";
import type { Aim } from "./in-page/aim.ts";
import { type Found, locate } from "./locate.ts";
import { FrameGone, type FrameRef, type PageLink } from "./page-link.ts";
import { shown } from "./selector-syntax.ts";
import { handled, markInput } from "./settle.ts";

/** Chrome drops input until a new document is drawn; a click of which no frame has heard is sent again, so often. */
const LOST_CLICKS = 3;

export async function click(attempt: Attempt, action: ActionOf<"click">): Promise<null> {
  if (!action.selector) throw new ActionError("Cannot click: it needs a selector");
  for (let lost = 0; ; ) {
    const found = await locate(attempt, action.selector, { verb: "click", want: "visible", task: "aim" });
    const outcome = await clickFound(attempt, action, found).catch((error: unknown) => {
      if (error instanceof FrameGone && !attempt.dispatched) return { retry: "the document was replaced" };
      throw error;
    });
    if (outcome === "done") return null;
    if (outcome === "lost") {
      lost += 1;
      if (lost === LOST_CLICKS) {
        attempt.dispatched = true;
        return null; // sent, three times over: a page may well keep every event from us
      }
      continue;
    }
    attempt.obstacle = `${shown(found.selector)}: ${outcome.retry}`;
    await pause(20, attempt.signal);
  }
}

type Outcome = "done" | "lost" | { retry: string };

async function clickFound(attempt: Attempt, { params }: ActionOf<"click">, { link, frame, done }: Found): Promise<Outcome> {
  const { signal } = attempt;
  const inFrame = done as Aim;
  const onPage = await throughParents(link, frame, inFrame, signal);
  if ("notYet" in onPage) return { retry: onPage.notYet };
  const { x, y, box } = onPage.done;
  const { activity, session } = link;
  // The move takes a frame anyway; in that frame it shows whether the element stays where it is, hover effects included.
  const [confirmed] = await Promise.all([
    link.call(frame, "confirm", inFrame, signal),
    session.send("Input.dispatchMouseEvent", { type: "mouseMoved", x, y }).catch(gone),
  ]);
  if (!("ok" in confirmed)) return { retry: "moved" in confirmed ? confirmed.moved : confirmed.notYet };
  if (frame.parent) {
    const again = await throughParents(link, frame, inFrame, signal);
    if ("notYet" in again) return { retry: again.notYet };
    if (Math.abs(again.done.x - x) > 0.5 || Math.abs(again.done.y - y) > 0.5) return { retry: "its frame keeps moving" };
  }
  await attempt.context.permit?.(confirmed.target);
  await attempt.context.observe?.input({ point: { x, y }, box, at: { frameId: frame.id, ...inFrame } });
  signal.throwIfAborted();
  const before = { documents: activity.document.count, windows: activity.windowsOpened };
  const began = () => activity.isNavigating || activity.document.count > before.documents || activity.windowsOpened > before.windows;
  markInput(link);
  attempt.obstacle = null;
  attempt.dispatched = true; // from here on it may have reached the page, whatever happens to us
  await untilAborted(sendClicks(session, params, { x, y }), signal);
  const verdict = began()
    ? null
    : await activity.orOnce(link.call(frame, "verdict", { inMain: frame.parent === null }, signal).catch(ifGone), began, signal);
  if (frame.parent) await handled(link, signal);
  else if (link.input) link.input.handledAt = performance.now();
  attempt.dispatched = verdict === null || verdict.kind === "hit"; // its document went away, or a window opened: the click did that
  if (verdict?.kind === "missed") return { retry: `covered by ${verdict.by}` }; // swallowed before the page saw it
  return verdict?.kind === "none" ? "lost" : "done";
}

async function sendClicks(
  session: CDPSession,
  { button, click_count }: ActionOf<"click">["params"],
  point: { x: number; y: number },
): Promise<void> {
  const buttons = { left: 1, right: 2, middle: 4 }[button];
  const sent: Promise<unknown>[] = [];
  for (let clickCount = 1; clickCount <= click_count; clickCount += 1) {
    const event = { ...point, button, clickCount };
    sent.push(session.send("Input.dispatchMouseEvent", { type: "mousePressed", buttons, ...event }).catch(gone));
    sent.push(session.send("Input.dispatchMouseEvent", { type: "mouseReleased", buttons: 0, ...event }).catch(gone));
  }
  await Promise.all(sent);
}

/** A point of a frame, in the page's pixels; at each level a click there must go into the frame. */
async function throughParents(link: PageLink, frame: FrameRef, aim: Aim, signal: AbortSignal): Promise<{ done: Aim } | { notYet: string }> {
  let at = aim;
  for (let inner = frame; inner.parent; inner = inner.parent) {
    const outer = inner.parent;
    const owner = await outer.session.send("DOM.getFrameOwner", { frameId: inner.id }).catch(gone);
    if (!owner) return { notYet: "its frame is gone" };
    const next = (await link.callWithNodes(outer, "throughFrame", [owner.backendNodeId], at, signal)) as { done: Aim } | { notYet: string };
    if ("notYet" in next) return next;
    at = next.done;
  }
  return { done: at };
}

const gone = (): null => null; // the page, or its tab, went away; what comes next finds out

const ifGone = (error: unknown): null => {
  if (error instanceof FrameGone) return null;
  throw error;
};
