/** Many simulated nodes on one server. */

import { openServer } from "../../../pool/store/server.ts";
import type { Store } from "../../../pool/store/sql.ts";
import { quiet } from "../../support/run-fixtures.ts";
import { openSimNode, type SimNode, type SimOptions } from "./sim-node.ts";

/** Up to so many nodes have a pool of connections each, as real ones do. One machine cannot hold those of thousands: beyond it they share some. */
const OWN_POOLS = 100;
const SHARED_POOLS = 10;
const AT_ONCE = 10;

export type SimPool = AsyncDisposable & { nodes: SimNode[]; store: Store };

/** Each node listens over a connection of its own. */
export async function openSimPool(url: string, count: number, options: Omit<SimOptions, "store">): Promise<SimPool> {
  await using opened = new AsyncDisposableStack();
  const shared: Store[] = [];
  for (let i = 0; i < SHARED_POOLS; i++) shared.push(opened.use(await openServer(url, quiet)));
  const stores: Store[] = [];
  opened.defer(async () => void (await Promise.all(stores.map((each) => each[Symbol.asyncDispose]()))));
  const nodes: SimNode[] = [];
  opened.defer(async () => void (await Promise.all(nodes.map((each) => each[Symbol.asyncDispose]()))));
  const open = async (nth: number) => {
    const own = await openServer(url, quiet);
    stores.push(own);
    const { query, transaction } = count > OWN_POOLS ? (shared[nth % SHARED_POOLS] as Store) : own;
    nodes.push(await openSimNode({ ...options, store: { ...own, query, transaction } }));
  };
  for (let nth = 0; nth < count; nth += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - nth) }, (_, i) => open(nth + i)));
  const kept = opened.move();
  return { nodes, store: shared[0] as Store, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
