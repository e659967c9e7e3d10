/** The frames of a page and the agent's world in each, over a session of our own; frames in another process have a session each. */
import type { CDPSession, Protocol } from "puppeteer-core";
import { AGENT_SOURCE, AGENT_WORLD, MARK_FRAME } from "./in-page/source.ts";
import type { ShownTexts } from "./snapshot-html.ts";

const CALL_LIMIT_MS = 5_000;
const LIMITED = { timeout: CALL_LIMIT_MS };

/** Snapshots that refer to one another. Once one of them is lost, the next must be whole, and begins another. */
export type History = { isBroken: boolean; shown: ShownTexts };
/** The agent's world in one document. */
export type World = {
  session: CDPSession;
  contextId: number;
  history: History | null;
  /** It has not answered: until then, in `performance.now()`, it is left alone. */
  muteUntil: number;
};
export type Frame = {
  id: string;
  session: CDPSession;
  parent: string | null;
  /** Null while a document has none: it has just gone, or is no document. Undefined until it is asked for: an empty document is soon replaced. */
  world: Promise<World | null> | undefined;
  /** Does the document around it know which frame this is? */
  marked: Promise<void>;
  /** Whose snapshot stands last in the trace. */
  written: History | null;
};

/** The name of a frame in the trace. */
export const frameName = (id: string): string => `frame@${id.toLowerCase()}`;

export class Frames {
  readonly #frames = new Map<string, Frame>();
  #mainId: string | null = null;
  readonly #limit: number;
  readonly #onLimit: () => void;
  /** An open `alert()` stops every script, the agent too. */
  #dialogs = 0;

  /** `onLimit` is called for each frame beyond so many: it is not recorded. */
  constructor(limit: number, onLimit: () => void) {
    this.#limit = limit;
    this.#onLimit = onLimit;
  }

  get mainId(): string | null {
    return this.#mainId;
  }

  get isStopped(): boolean {
    return this.#dialogs > 0;
  }

  /** The main one first. */
  all(): Frame[] {
    return [...this.#frames.values()].sort((a, b) => Number(b.id === this.#mainId) - Number(a.id === this.#mainId));
  }

  /** Follows the frames that `session` speaks for; sends all it has to send before its first answer. */
  async watch(session: CDPSession, isMain: boolean): Promise<void> {
    session.on("Page.frameAttached", ({ frameId, parentFrameId }) => {
      this.#documentOf(frameId, session, parentFrameId, false);
      this.#mark(frameId);
    });
    session.on("Page.frameNavigated", ({ frame }) => {
      if (isMain && !frame.parentId) this.#mainId = frame.id;
      this.#documentOf(frame.id, session, frame.parentId ?? null);
    });
    session.on("Page.frameDetached", ({ frameId, reason }) => {
      if (reason === "remove") this.#frames.delete(frameId); // else another process takes it over
    });
    session.on("Page.javascriptDialogOpening", () => {
      this.#dialogs += 1;
    });
    session.on("Page.javascriptDialogClosed", () => {
      this.#dialogs = Math.max(0, this.#dialogs - 1);
    });
    const source = { source: AGENT_SOURCE, worldName: AGENT_WORLD, runImmediately: true };
    const [, , { frameTree }] = await Promise.all([
      session.send("Page.enable", undefined, LIMITED),
      session.send("Page.addScriptToEvaluateOnNewDocument", source, LIMITED),
      session.send("Page.getFrameTree", undefined, LIMITED),
    ]);
    this.#addTree(session, frameTree, isMain);
  }

  /** Forgets the frames that a session spoke for, as its process has gone. */
  unwatch(session: CDPSession): void {
    for (const [id, frame] of this.#frames) if (frame.session === session) this.#frames.delete(id);
  }

  #addTree(session: CDPSession, { frame, childFrames = [] }: Protocol.Page.FrameTree, isMain: boolean): void {
    if (isMain && !frame.parentId) this.#mainId = frame.id;
    if (this.#frames.get(frame.id)?.session !== session) this.#documentOf(frame.id, session, frame.parentId ?? null);
    if (frame.parentId) this.#mark(frame.id);
    for (const child of childFrames) this.#addTree(session, child, isMain);
  }

  worldOf(frame: Frame): Promise<World | null> {
    frame.world ??= openWorld(frame.session, frame.id);
    return frame.world;
  }

  #documentOf(id: string, session: CDPSession, parent: string | null, isLoading = true): void {
    const known = this.#frames.get(id);
    if (!known && this.#frames.size >= this.#limit) {
      this.#onLimit();
      return;
    }
    const world = isLoading ? openWorld(session, id) : undefined;
    if (known) Object.assign(known, { session, world, parent: parent ?? known.parent });
    else this.#frames.set(id, { id, session, parent, world, marked: Promise.resolve(), written: null });
  }

  #mark(id: string): void {
    const frame = this.#frames.get(id);
    const outer = frame?.parent ? this.#frames.get(frame.parent) : null;
    if (frame && outer)
      frame.marked = this.worldOf(outer)
        .then(async (world) => {
          if (world) await mark(world, id);
        })
        .catch(() => {}); // one of both has gone
  }
}

/** By name it is the one that the script runs in as a document begins; one that was there before is given the script by `callAgent`. */
async function openWorld(session: CDPSession, frameId: string): Promise<World | null> {
  try {
    const { executionContextId: contextId } = await session.send("Page.createIsolatedWorld", { frameId, worldName: AGENT_WORLD }, LIMITED);
    return { session, contextId, history: null, muteUntil: 0 };
  } catch {
    return null; // replaced already, or it does not answer: there is nothing to show of it
  }
}

/** Tells the agent of the document around a frame which of its elements holds that frame. */
async function mark(world: World, frameId: string): Promise<void> {
  const { session, contextId: executionContextId } = world;
  const { backendNodeId } = await session.send("DOM.getFrameOwner", { frameId }, LIMITED);
  const { object } = await session.send("DOM.resolveNode", { backendNodeId, executionContextId }, LIMITED);
  const { objectId } = object;
  if (!objectId) return;
  const request = { functionDeclaration: MARK_FRAME, objectId, returnByValue: true, arguments: [{ value: frameName(frameId) }] };
  await callAgent(world, request, CALL_LIMIT_MS);
  session.send("Runtime.releaseObject", { objectId }).catch(() => {}); // its document has gone, and it with it
}

/** A function's answer, where it is not null: that says there is no agent yet, and it is put there. @throws when the document does not answer */
export async function callAgent(
  { session, contextId }: World,
  request: Protocol.Runtime.CallFunctionOnRequest,
  timeout: number,
): Promise<unknown> {
  for (let isInstalled = false; ; isInstalled = true) {
    const { result, exceptionDetails } = await session.send("Runtime.callFunctionOn", request, { timeout });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    if (result.value !== null || isInstalled) return result.value;
    await session.send("Runtime.evaluate", { expression: AGENT_SOURCE, contextId }, { timeout });
  }
}
