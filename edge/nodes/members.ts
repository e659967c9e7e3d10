/** The pool's nodes as this edge knows them: the seeds, and whom those name. A cache; the store's own list is what `GET /nodes` answers. */

import { pause } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { NodeInfo } from "../../shared/node.ts";
import { parseNodeUrl } from "../config.ts";
import type { Log } from "../log.ts";
import type { Connect } from "../wire/connection.ts";
import { createNodeClient, type NodeClient, type StoredSource } from "./node-client.ts";

export type KnownNode = {
  readonly client: NodeClient;
  readonly seed: boolean;
  /** As it last told; null before that. */
  info: NodeInfo | null;
  /** Did the latest call get an answer? */
  answers: boolean;
  /** How many refreshes in a row it has not answered. */
  missed: number;
  /** Was somebody told of that? */
  warned: boolean;
  /** When it last did (ms), or became known. */
  lastAnswerMs: number;
  /** Runs sent to it since it last told how busy it is. */
  sentSince: number;
};

/** Who can tell of stored runs. */
export type StoredTeller = { readonly client: StoredSource; answers: boolean };

export type MembersOptions = {
  seeds: readonly string[];
  token: string;
  connect: Connect;
  log: Log;
  /** Tells of stored runs too. */
  bucket?: StoredSource | null;
  refreshMs?: number;
  forgetMs?: number;
};

const MAX_NODES = 1_000;
/** Refreshes in a row that a node may miss before somebody is told: a restart is nothing to warn of, nor a node that first starts beside the edge. */
const MISSED_TO_WARN = { known: 3, neverSeen: 15 };

const reasonOf = (error: unknown): unknown => (error instanceof AppError ? (error.details?.reason ?? error.code) : error);

export class Members implements AsyncDisposable {
  readonly #nodes = new Map<string, KnownNode>(); // by URL
  readonly #options: MembersOptions;
  readonly #stop = new AbortController();
  readonly #first: Promise<void>;
  readonly #loop: Promise<void>;

  constructor(options: MembersOptions) {
    this.#options = options;
    for (const url of options.seeds) this.#add(url, true);
    this.#first = this.#refresh();
    this.#loop = this.#first.then(() => this.#keepRefreshing());
  }

  /** Resolves when each seed has answered or failed once. */
  ready(): Promise<void> {
    return this.#first;
  }

  /** Everyone known, those who answer first, in random order among themselves. */
  everyone(): KnownNode[] {
    return shuffled([...this.#nodes.values()]).sort((a, b) => Number(b.answers) - Number(a.answers));
  }

  /** Everyone, and the bucket between those who answer and those who did not when they were last asked. */
  storedTellers(): StoredTeller[] {
    const { bucket } = this.#options;
    const nodes = this.everyone();
    if (!bucket) return nodes;
    const firstSilent = nodes.findIndex((node) => !node.answers);
    const at = firstSilent < 0 ? nodes.length : firstSilent;
    return [...nodes.slice(0, at), { client: bucket, answers: true }, ...nodes.slice(at)];
  }

  /** One that answers, or else any. Cheaper than `everyone`, for the many reads. */
  anyone(): KnownNode | null {
    const nodes = [...this.#nodes.values()];
    const well = nodes.filter((node) => node.answers);
    return pick(well) ?? pick(nodes);
  }

  /** For a new run: who will most likely start it at once comes first. */
  forNewRun(): KnownNode[] {
    return this.everyone().sort((a, b) => compare(rank(b), rank(a)));
  }

  /** The node with this id; by the URL in hand when it is not known yet. null: neither is of use. */
  find(nodeId: string, url: string | null): KnownNode | null {
    const parsed = url === null ? null : parseNodeUrl(url);
    const known = [...this.#nodes.values()].filter(({ info }) => info?.node_id === nodeId);
    const best = known.find((node) => node.client.url === parsed) ?? known.find((node) => node.answers);
    if (best) return best;
    return (parsed === null ? null : this.#add(parsed, false)) ?? known[0] ?? null; // it may have moved, as it does with its address
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    for (const { client } of this.#nodes.values()) client.close();
  }

  async #keepRefreshing(): Promise<void> {
    const { refreshMs = 1_000, log } = this.#options;
    while (!this.#stop.signal.aborted) {
      await pause(refreshMs, this.#stop.signal).catch(() => {}); // the stop ends the pause, and then the loop
      if (!this.#stop.signal.aborted) await this.#refresh().catch((error) => log.error("Refreshing the members failed", { error }));
    }
  }

  /** Asks every node how it is, one of them who else there is, and forgets who has been silent for long. */
  async #refresh(): Promise<void> {
    const { refreshMs = 1_000, forgetMs = 60_000, log } = this.#options;
    const limitMs = Math.max(1_000, refreshMs);
    const ask = async (node: KnownNode) => {
      try {
        const sentBefore = node.sentSince;
        node.info = await node.client.info({ limitMs, signal: this.#stop.signal });
        node.sentSince = Math.max(0, node.sentSince - sentBefore);
        if (node.warned) log.info("A node answers again", { url: node.client.url });
        node.warned = false;
        node.answers = true;
        node.missed = 0;
        node.lastAnswerMs = Date.now();
      } catch (error) {
        node.answers = false;
        node.missed++;
        if (node.warned || node.missed < (node.info ? MISSED_TO_WARN.known : MISSED_TO_WARN.neverSeen)) return;
        node.warned = true;
        log.warn("A node does not answer", { url: node.client.url, reason: reasonOf(error) });
      }
    };
    await Promise.all([...this.#nodes.values()].map(ask));
    const teller = pick([...this.#nodes.values()].filter((node) => node.answers));
    const members = await teller?.client.members({ limitMs, signal: this.#stop.signal }).catch((error) => {
      if (!this.#stop.signal.aborted) log.warn("A node did not tell who else there is", { url: teller.client.url, error });
      return [];
    });
    for (const { node_id, url, state } of members ?? []) {
      if (state !== "lost") this.find(node_id, url);
    }
    const seen = new Set<string>();
    for (const [url, node] of this.#nodes) {
      const nodeId = node.answers ? node.info?.node_id : undefined; // silence says nothing: that node may have moved to another address
      const twice = nodeId !== undefined && seen.has(nodeId); // known by a seed's URL and by its own
      if (nodeId !== undefined) seen.add(nodeId);
      if (!twice && (node.seed || node.answers || Date.now() - node.lastAnswerMs < forgetMs)) continue;
      this.#nodes.delete(url);
      node.client.close();
      if (!twice) log.info("A node is forgotten", { url });
    }
  }

  #add(url: string, seed: boolean): KnownNode | null {
    const known = this.#nodes.get(url);
    if (known) return known;
    if (this.#nodes.size >= MAX_NODES) return null;
    const client = createNodeClient(url, this.#options.token, this.#options.connect);
    const node: KnownNode = { client, seed, info: null, answers: false, missed: 0, warned: false, lastAnswerMs: Date.now(), sentSince: 0 };
    this.#nodes.set(url, node);
    return node;
  }
}

/** Greater is better, from left to right: answers, takes runs, a free slot, a warm browser for it, fewer runs waiting, less load (in tenths). */
function rank({ answers, info, sentSince }: KnownNode): number[] {
  if (!answers || !info) return [0];
  const free = info.slots.total - info.slots.busy - sentSince;
  return [
    1,
    Number(info.state === "ready"),
    Number(free > 0),
    Number(info.browsers.warm > sentSince),
    -(info.queued + Math.max(0, -free)),
    -Math.round(info.load * 10),
  ];
}

function compare(a: number[], b: number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const pick = <T>(list: readonly T[]): T | null => list[Math.floor(Math.random() * list.length)] ?? null;

function shuffled<T>(list: T[]): T[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [list[i], list[j]] = [list[j] as T, list[i] as T];
  }
  return list;
}
