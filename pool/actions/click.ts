/** Clicking: at a point where the click reaches the element, once it stands still there. */
import type { CDPSession } from "puppeteer-core";
import { pause, untilAborted } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import type { ActionOf, Attempt } from "./attempt.ts";
import type { Aim } from "./in-page/aim.ts";
import type { PressVerdict } from "./in-page/watch.ts";
import { type Found, locate } from "./locate.ts";
import { FrameGone, type FrameRef, type PageLink } from "./page-link.ts";
import { shown } from "./selector-syntax.ts";
import { handled, markInput } from "./settle.ts";

/** Chrome may drop input until a new document is drawn. Sent so often, if it is certain each time that no document was given the click. */
const LOST_CLICKS = 3;
/** A frame that does not tell in that time whether it was given the click may have been. */
const DEAF_MS = 500;

export async function click(attempt: Attempt, action: ActionOf<"click">): Promise<null> {
  if (!action.selector) throw new ActionError("Cannot click: it needs a selector");
  for (let lost = 0; ; ) {
    const found = await locate(attempt, action.selector, { verb: "click", want: "visible", task: "aim" });
    const letGo = () => void disarm(found, attempt.signal).catch(gone); // what is pressed there next is not ours to judge
    const outcome = await clickFound(attempt, action, found).catch((error: unknown) => {
      letGo();
      if (error instanceof FrameGone && !attempt.dispatched) return { retry: "the document was replaced" };
      throw error;
    });
    if (outcome === "done") return null;
    letGo();
    if (outcome === "lost") {
      lost += 1;
      if (lost === LOST_CLICKS) throw unheard(found, `Chrome has dropped it, ${LOST_CLICKS} times`);
      attempt.context.observe?.log("Chrome has dropped the click: it is sent again");
      continue;
    }
    attempt.obstacle = `${shown(found.selector)}: ${outcome.retry}`;
    await pause(20, attempt.signal);
  }
}

type Outcome = "done" | "lost" | { retry: string };

async function clickFound(attempt: Attempt, { params }: ActionOf<"click">, found: Found): Promise<Outcome> {
  const { signal } = attempt;
  const { link, frame } = found;
  const inFrame = found.done as Aim;
  const onPage = await throughParents(link, frame, inFrame, signal);
  if ("notYet" in onPage) return { retry: onPage.notYet };
  const { x, y, box } = onPage.done;
  const { activity, session } = link;
  // The move takes a frame anyway; in that frame it shows whether the element stays where it is, hover effects included, and is recorded.
  const [confirmed] = await Promise.all([
    link.call(frame, "confirm", inFrame, signal),
    session.send("Input.dispatchMouseEvent", { type: "mouseMoved", x, y }).catch(gone),
    attempt.context.observe?.input({ page: link.page, point: { x, y }, box, at: { frameId: frame.id, ...inFrame } }),
  ]);
  if (!("ok" in confirmed)) return { retry: "moved" in confirmed ? confirmed.moved : confirmed.notYet };
  if (frame.parent) {
    const [again] = await Promise.all([
      throughParents(link, frame, inFrame, signal),
      ...parentsOf(frame).map((parent) => link.call(parent, "guard", undefined, signal)),
    ]);
    if ("notYet" in again) return { retry: again.notYet };
    if (Math.abs(again.done.x - x) > 0.5 || Math.abs(again.done.y - y) > 0.5) return { retry: "its frame keeps moving" };
  }
  await attempt.context.permit?.(confirmed.target);
  signal.throwIfAborted();
  if (activity.isNavigating) return { retry: "the page was about to go elsewhere" };
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
  const outcome = await judge(attempt, found, verdict);
  attempt.dispatched = outcome === "done";
  return outcome;
}

/** @throws ActionError where the page may have been given the click, and it was not the element that got it */
async function judge(attempt: Attempt, found: Found, verdict: PressVerdict | null): Promise<Outcome> {
  const { signal, context } = attempt;
  const disarmed = disarmParents(found, signal);
  disarmed.catch(gone);
  if (verdict === null) return "done"; // its document went away, or a window opened: the click did that
  const around = await disarmed;
  if (verdict.kind === "hit") return "done";
  if (verdict.kind === "missed") return { retry: `covered by ${verdict.by}` }; // swallowed before the page saw it
  if (verdict.kind === "unseen" || verdict.inside) {
    context.observe?.log(
      verdict.kind === "unseen"
        ? "The page keeps its events to itself: it was given the click, what the click hit was not seen"
        : "What happens inside the element was not seen",
    );
    return "done";
  }
  if (around.some((each) => each?.kind === "missed")) return { retry: "its frame is not drawn yet" }; // swallowed there
  if (around.some((each) => each?.kind !== "none") || !(await isLost(found, signal)))
    throw unheard(found, "another part of the page may have got it");
  return "lost";
}

/** Has no other frame of the page been given any press? Those around the element's have said so already. */
async function isLost({ link, frame }: Found, signal: AbortSignal): Promise<boolean> {
  const asked = new Set([frame, ...parentsOf(frame)].map(({ id }) => id));
  const others = (await link.frames(signal)).filter(({ id }) => !asked.has(id));
  const counts = await Promise.all(
    others.map((other) =>
      link.call(other, "presses", undefined, AbortSignal.any([signal, AbortSignal.timeout(DEAF_MS)])).catch(() => {
        signal.throwIfAborted();
        return null;
      }),
    ),
  );
  return counts.every((count) => count === 0);
}

const unheard = ({ selector }: Found, why: string): ActionError =>
  new ActionError(`Cannot click ${shown(selector)}: the click was sent and the element did not get it: ${why}`, {
    dispatched: true,
    details: { selector },
  });

const parentsOf = ({ parent }: FrameRef): FrameRef[] => (parent ? [parent, ...parentsOf(parent)] : []);

async function disarmParents({ link, frame }: Found, signal: AbortSignal): Promise<(PressVerdict | null)[]> {
  return await Promise.all(parentsOf(frame).map((parent) => link.call(parent, "disarm", undefined, signal).catch(ifGone)));
}

async function disarm(found: Found, signal: AbortSignal): Promise<void> {
  await Promise.all([found.link.call(found.frame, "disarm", undefined, signal).catch(ifGone), disarmParents(found, signal)]);
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
