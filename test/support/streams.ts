/** What tests of streams look at: bytes, events, and how a node saw its answers end. */
import { once } from "node:events";
import { parseFrames } from "../../shared/sse.ts";
import type { StandInNode } from "./stand-in-node.ts";

/** Without a difference of two hundred thousand lines when it is not so. */
export const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** All bytes of a response, and whether it broke off. */
export async function collect(response: Response): Promise<{ bytes: Uint8Array; broken: boolean }> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk);
    return { bytes: new Uint8Array(Buffer.concat(chunks)), broken: false };
  } catch {
    return { bytes: new Uint8Array(Buffer.concat(chunks)), broken: true };
  }
}

/** Its events as they come, comments left out. */
export async function* eventReader(response: Response): AsyncGenerator<{ id: number; event: string | null }> {
  for await (const { id, event, data } of parseFrames(response.body as unknown as AsyncIterable<Uint8Array>)) {
    if (data !== null) yield { id: Number(id), event };
  }
}
export const readEvents = (response: Response) => Array.fromAsync(eventReader(response));

/** When a route of the node is asked for the next time. */
export async function nextOpened(node: StandInNode, route: string): Promise<void> {
  for await (const [name] of on(node, "opened")) if (name === route) return;
}

/** When an answer of a route ends the next time, and whether it was sent to its end. */
export async function nextClosed(node: StandInNode, route: string): Promise<{ complete: boolean }> {
  for await (const [name, how] of on(node, "closed")) if (name === route) return how as { complete: boolean };
  throw new Error("unreachable");
}

async function* on(node: StandInNode, event: "opened" | "closed"): AsyncGenerator<unknown[]> {
  for (;;) yield await once(node, event);
}

/** The value once it has not changed for a while: the only way to see that nothing happens. */
export async function whenSettled(read: () => number): Promise<number> {
  for (let last = -1, same = 0; ; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const now = read();
    same = now === last && now > 0 ? same + 1 : 0;
    if (same === 6) return now;
    last = now;
  }
}
