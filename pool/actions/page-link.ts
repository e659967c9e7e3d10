/** Our own line to a page: a CDP session beside puppeteer's, and the engine in a world of its own in each frame that we look into. */
import type { CDPSession, Page, Protocol } from "puppeteer-core";
import { untilAborted, withDeadline } from "../../shared/deadline.ts";
import { Activity } from "./activity.ts";
import { ENGINE_SOURCE, type Engine } from "./in-page/source.ts";
import type { Input } from "./settle.ts";

const WORLD = "understudy";
/** A frame in another process that does not answer for so long is deaf. */
const DEAF_MS = 500;

/** A frame, and the session that speaks for it: frames in another process have one of their own. */
export type FrameRef = { id: string; session: CDPSession; parent: FrameRef | null; deaf: boolean };
/** The frame, or its document, went away while it was asked. Another look finds what came instead. */
export class FrameGone extends Error {
  override readonly name = "FrameGone";
}
/** A fault of the engine's own. */
export class EngineFault extends Error {
  override readonly name = "EngineFault";
}

type Installed = { engine: string; contextId: number };
type Method = keyof Engine;
type Arg<M extends Method> = Parameters<Engine[M]> extends [infer A] ? A : undefined;
type Result<M extends Method> = Awaited<ReturnType<Engine[M]>>;

const links = new WeakMap<Page, Promise<PageLink>>();

/** The link of a page: one for as long as its target lives, whoever asks. */
export async function linkOf(page: Page): Promise<PageLink> {
  const known = links.get(page);
  const link = await known?.catch(() => null); // it failed for another caller, who has heard of it
  if (link && !link.session.detached) return link;
  if (links.get(page) === known) links.set(page, PageLink.open(page)); // the first one, or its target was swapped
  return await (links.get(page) as Promise<PageLink>);
}

export class PageLink {
  readonly page: Page;
  readonly session: CDPSession;
  readonly activity = new Activity();
  input: Input | null = null;
  readonly #children = new Map<string, { session: CDPSession; parent: CDPSession }>();
  readonly #engines = new Map<string, Promise<Installed>>();

  private constructor(page: Page, session: CDPSession) {
    this.page = page;
    this.session = session;
  }

  static async open(page: Page): Promise<PageLink> {
    const link = new PageLink(page, await page.createCDPSession());
    const [{ frameTree }] = await Promise.all([link.session.send("Page.getFrameTree"), link.#enable(link.session)]);
    link.activity.start(frameTree, await link.#showsError(frameTree.frame));
    return link;
  }

  /** The document came before we listened: is it an HTTP error without a body, such as our own way out gives for a server that it cannot reach? */
  async #showsError({ id: frameId, url }: Protocol.Page.Frame): Promise<boolean> {
    if (!url.startsWith("http:")) return false;
    const limited = { timeout: DEAF_MS };
    const expression = `(([it]) => it !== undefined && it.responseStatus >= 400 && it.responseEnd > 0 && it.decodedBodySize === 0)(performance.getEntriesByType("navigation"))`;
    try {
      const world = await this.session.send("Page.createIsolatedWorld", { frameId, worldName: WORLD }, limited); // where no script of the page answers
      const asked = { expression, contextId: world.executionContextId, returnByValue: true };
      return (await this.session.send("Runtime.evaluate", asked, limited)).result.value === true;
    } catch {
      return false; // a page that hangs is no empty one
    }
  }

  async #enable(session: CDPSession): Promise<void> {
    this.activity.watch(session);
    session.on("Page.frameNavigated", ({ frame }) => {
      this.#engines.delete(frame.id);
      if (!frame.parentId) this.#installed(this.main).catch(() => {}); // ahead of the first look; that one tries again
    });
    session.on("Page.frameDetached", ({ frameId }) => void this.#engines.delete(frameId));
    session.on("Target.attachedToTarget", ({ sessionId, targetInfo }) => this.#attached(session, sessionId, targetInfo));
    session.on("Target.detachedFromTarget", ({ sessionId }) => this.#detached(sessionId));
    await Promise.all([
      session.send("Page.enable"),
      session.send("Network.enable", { maxTotalBufferSize: 0, maxResourceBufferSize: 0 }), // events only, no bodies kept
      session.send("Target.setAutoAttach", {
        autoAttach: true,
        waitForDebuggerOnStart: true, // as puppeteer does: where one session waits and one does not, Chrome now and then leaves a frame waiting for ever
        flatten: true,
        filter: [{ type: "iframe" }, { exclude: true }],
      }),
    ]);
  }

  /** A frame in another process: its session speaks for it and for the frames in it. */
  #attached(parent: CDPSession, sessionId: string, { targetId }: Protocol.Target.TargetInfo): void {
    const session = parent.connection()?.session(sessionId);
    if (!session) return;
    this.#children.set(targetId, { session, parent });
    this.#engines.delete(targetId);
    this.#enable(session).catch(() => {}); // it is gone again already
    session.send("Runtime.runIfWaitingForDebugger").catch(() => {}); // as above
  }

  #detached(sessionId: string): void {
    for (const [id, { session }] of this.#children) {
      if (session.id() !== sessionId) continue;
      this.#children.delete(id);
      this.#engines.delete(id);
      this.activity.unwatch(session);
    }
  }

  get main(): FrameRef {
    return { id: this.activity.mainFrame, session: this.session, parent: null, deaf: false };
  }

  /**
   * Every frame, the main one first, in the order of their documents; frames in other processes after those beside which they stand. One of
   * another process that does not answer is among them, and said to be deaf; what it may have in it is not known.
   * @throws FrameGone when the page went away
   */
  async frames(signal: AbortSignal): Promise<FrameRef[]> {
    const found = new Map<string, FrameRef>();
    const parents = new Map<string, string>();
    const add = (session: CDPSession, { frame, childFrames }: Protocol.Page.FrameTree, parent: FrameRef | null) => {
      const here = { id: frame.id, session, parent, deaf: false };
      found.set(here.id, here);
      if (frame.parentId) parents.set(here.id, frame.parentId);
      for (const child of childFrames ?? []) add(session, child, here);
    };
    const treeOf = async (session: CDPSession) => (await session.send("Page.getFrameTree")).frameTree;
    for (const { session } of [...this.#children.values()]) if (session.detached) this.#detached(session.id()); // of those in a frame that went nobody tells
    const children = [...this.#children];
    const [main, ...trees] = await Promise.all([
      untilAborted(treeOf(this.session), signal).catch((cause: unknown) => {
        signal.throwIfAborted();
        throw new FrameGone("The page went away", { cause });
      }),
      ...children.map(([, { session }]) => withDeadline(DEAF_MS, () => treeOf(session), { signal }).catch(() => null)),
    ]);
    signal.throwIfAborted();
    add(this.session, main, null);
    for (const [i, tree] of trees.entries()) {
      const [id, { session, parent }] = children[i] as (typeof children)[number];
      const around = [...found.values()].find((each) => each.session === parent) ?? null;
      if (tree) add(session, tree, around);
      else if (this.#children.get(id)?.session === session) found.set(id, { id, session, parent: around, deaf: true }); // else it is gone
    }
    for (const [id, frame] of found) frame.parent = found.get(parents.get(id) ?? "") ?? frame.parent;
    return [...found.values()];
  }

  /** Calls the engine in a frame; it is put there first where it is not yet. @throws FrameGone, EngineFault */
  async call<M extends Method>(frame: FrameRef, method: M, arg: Arg<M>, signal: AbortSignal): Promise<Result<M>> {
    return await untilAborted(this.#call(frame, method, [{ value: arg }]) as Promise<Result<M>>, signal);
  }

  async #call(frame: FrameRef, method: string, args: Protocol.Runtime.CallArgument[], byValue = true): Promise<unknown> {
    const { engine } = await this.#installed(frame);
    const answer = await frame.session
      .send("Runtime.callFunctionOn", {
        objectId: engine,
        functionDeclaration: `function (...args) { return this.${method}(...args) }`,
        arguments: args,
        returnByValue: byValue,
        awaitPromise: true,
      })
      .catch((cause: unknown) => {
        this.#engines.delete(frame.id);
        throw new FrameGone("The document was replaced", { cause });
      });
    if (answer.exceptionDetails) throw new EngineFault(answer.exceptionDetails.exception?.description ?? answer.exceptionDetails.text);
    return byValue ? answer.result.value : answer.result.objectId;
  }

  /** Calls the engine with nodes by their ids; what it returns is a node too, or nothing. For rare use: it takes several round trips. */
  async callWithNodes(
    frame: FrameRef,
    method: "offer" | "throughFrame",
    nodes: number[],
    arg: unknown,
    signal: AbortSignal,
  ): Promise<unknown> {
    const work = async () => {
      const { contextId } = await this.#installed(frame);
      const resolved = await Promise.all(
        nodes.map(
          (backendNodeId) => frame.session.send("DOM.resolveNode", { backendNodeId, executionContextId: contextId }).catch(() => null), // no longer in the document
        ),
      );
      const ids = resolved.flatMap((each) => each?.object.objectId ?? []);
      try {
        const { engine } = await this.#installed(frame);
        const answer = await frame.session.send("Runtime.callFunctionOn", {
          objectId: engine,
          functionDeclaration:
            method === "offer"
              ? "function (key, ...nodes) { this.offer(key, nodes) }"
              : "function (point, node) { return this.throughFrame(node, point) }",
          arguments: [{ value: arg }, ...ids.map((objectId) => ({ objectId }))],
          returnByValue: true,
        });
        return answer.result.value;
      } finally {
        for (const objectId of ids) frame.session.send("Runtime.releaseObject", { objectId }).catch(() => {}); // its context is gone, and it with it
      }
    };
    return await untilAborted(
      work().catch((cause: unknown) => {
        throw cause instanceof FrameGone ? cause : new FrameGone("The document was replaced", { cause });
      }),
      signal,
    );
  }

  /** The object that the engine's `held` or `document` names, for protocol commands. */
  async node(frame: FrameRef, which: "held" | "document", signal: AbortSignal): Promise<string> {
    return (await untilAborted(this.#call(frame, which, [], false), signal)) as string;
  }

  #installed(frame: FrameRef): Promise<Installed> {
    let installed = this.#engines.get(frame.id);
    if (!installed) {
      const mine = this.#install(frame).then((done) => {
        // A world's id says nothing once another process has taken over the frame: it may be one of the page's own there.
        if (this.#engines.get(frame.id) !== mine) throw new FrameGone("The document was replaced");
        return done;
      });
      mine.catch(() => {
        if (this.#engines.get(frame.id) === mine) this.#engines.delete(frame.id);
      });
      this.#engines.set(frame.id, mine);
      installed = mine;
    }
    return installed;
  }

  async #install(frame: FrameRef): Promise<Installed> {
    try {
      const { executionContextId: contextId } = await frame.session.send("Page.createIsolatedWorld", {
        frameId: frame.id,
        worldName: WORLD,
      });
      const { result, exceptionDetails } = await frame.session.send("Runtime.evaluate", { expression: ENGINE_SOURCE, contextId });
      if (exceptionDetails || !result.objectId)
        throw new EngineFault(exceptionDetails?.exception?.description ?? "The engine is not there");
      return { engine: result.objectId, contextId };
    } catch (cause) {
      if (cause instanceof EngineFault) throw cause;
      throw new FrameGone("The document was replaced", { cause });
    }
  }
}
