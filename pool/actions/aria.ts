/** `aria/…`: asks Chrome's accessibility tree, and hands its answer to the looks that follow. */
import { untilAborted } from "../../shared/deadline.ts";
import { FrameGone, type FrameRef, type PageLink } from "./page-link.ts";
import type { ParsedSelector } from "./selector-syntax.ts";

/** Each question costs Chrome some 50 ms on a large page, so it is not asked more often than that. */
const INTERVAL_MS = 500;

const asked = new WeakMap<PageLink, Map<string, number>>();

/** Refreshes what the frame's engine knows of the `aria/` candidates, unless that was done a moment ago for this very document. */
export async function offerAriaMatches(link: PageLink, frame: FrameRef, candidates: ParsedSelector[], signal: AbortSignal): Promise<void> {
  const times = asked.get(link) ?? new Map<string, number>();
  asked.set(link, times);
  for (const query of candidates) {
    if (query.kind !== "aria") continue;
    const key = `${query.role} ${query.name}`;
    const place = `${frame.id} ${link.activity.document.count} ${key}`;
    const now = performance.now();
    if (now - (times.get(place) ?? Number.NEGATIVE_INFINITY) < INTERVAL_MS) continue;
    times.set(place, now);
    const objectId = await link.node(frame, "document", signal);
    const { nodes } = await untilAborted(
      frame.session
        .send("Accessibility.queryAXTree", {
          objectId,
          ...(query.name === null ? {} : { accessibleName: query.name }),
          ...(query.role === null ? {} : { role: query.role }),
        })
        .catch((cause: unknown) => {
          throw new FrameGone("The document was replaced", { cause });
        }),
      signal,
    );
    const ids = nodes.flatMap(({ ignored, role, backendDOMNodeId }) =>
      ignored || role?.value === "StaticText" || role?.value === "InlineTextBox" ? [] : (backendDOMNodeId ?? []),
    );
    await link.callWithNodes(frame, "offer", [...new Set(ids)], key, signal);
  }
}
