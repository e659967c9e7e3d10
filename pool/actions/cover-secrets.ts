/** Hides secrets in every frame of a page while a picture is taken. */
import { withDeadline } from "../../shared/deadline.ts";
import type { Redactor } from "../secrets/redactor.ts";
import { ActionError } from "./action-error.ts";
import type { CoverRange, PageTexts } from "./in-page/cover.ts";
import { FrameGone, type FrameRef, type PageLink } from "./page-link.ts";

/** For each question to a frame. */
const ANSWER_MS = 1_000;

export type Cover = AsyncDisposable & {
  /** Ask when the picture is there: does the page show a secret by now that is not covered, drawn as the picture was taken? */
  isTorn(): Promise<boolean>;
};

/**
 * Covered until it is disposed. The page's texts are searched here: no secret is sent to a page for that. `boxes`: whole elements are blank, for
 * a page that writes a secret into them anew.
 * @throws ActionError where a frame of a run with secrets cannot be covered: then there is no picture, rather than one that shows them
 */
export async function coverSecrets(link: PageLink, secrets: Redactor, signal: AbortSignal, { boxes = false } = {}): Promise<Cover> {
  const frames = link.activity.hasChildFrames ? await link.frames(signal) : [link.main];
  const covered = await Promise.all(frames.map((frame) => coverFrame(link, frame, { secrets, signal, boxes })));
  return {
    async isTorn() {
      if (secrets.isEmpty) return false;
      return (await Promise.all(frames.map((frame) => showsSecret(link, frame, secrets, signal)))).some((shows) => shows);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(
        frames.map((frame, i) => covered[i] && link.call(frame, "uncover", undefined, AbortSignal.timeout(ANSWER_MS)).catch(() => {})), // it has gone, and its cover with it
      );
    },
  };
}

/** Is there anything to uncover? */
const coverFrame = (
  link: PageLink,
  frame: FrameRef,
  { secrets, signal, boxes }: { secrets: Redactor; signal: AbortSignal; boxes: boolean },
): Promise<boolean> =>
  answerOf(frame, secrets, signal, async (limited) => {
    const shown = await link.call(frame, "texts", { all: !secrets.isEmpty }, limited);
    const what = findSecrets(shown, secrets);
    if (shown.hidden === 0 && what.ranges.length === 0 && what.fields.length === 0) return false;
    if (await link.call(frame, "cover", { ...what, boxes }, limited)) return true;
    await link.call(frame, "uncover", undefined, limited);
    throw new ActionError("Cannot take a screenshot: the page does not let a secret in it be covered");
  });

const showsSecret = (link: PageLink, frame: FrameRef, secrets: Redactor, signal: AbortSignal): Promise<boolean> =>
  answerOf(frame, secrets, signal, async (limited) => {
    const shown = await link.call(frame, "texts", { all: true, bare: true }, limited);
    const { ranges, fields } = findSecrets(shown, secrets);
    return shown.hidden + ranges.length + fields.length > 0;
  });

/** A frame that is gone, or has no secret to hide, need not answer. */
async function answerOf(
  frame: FrameRef,
  secrets: Redactor,
  signal: AbortSignal,
  ask: (limited: AbortSignal) => Promise<boolean>,
): Promise<boolean> {
  try {
    return await withDeadline(ANSWER_MS, ask, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ActionError) throw error;
    if (error instanceof FrameGone && frame.parent) return false;
    if (secrets.isEmpty) return false;
    throw new ActionError("Cannot take a screenshot: the page does not answer, so the secrets in it cannot be covered", { cause: error });
  }
}

function findSecrets({ texts, fields }: PageTexts, secrets: Redactor): { ranges: CoverRange[]; fields: number[] } {
  const ranges = secrets.pieceSpans(texts).flatMap((spans, index) => spans.map(({ start, end }): CoverRange => [index, start, end]));
  return { ranges, fields: fields.flatMap((value, index) => (secrets.text(value) === value ? [] : [index])) };
}
