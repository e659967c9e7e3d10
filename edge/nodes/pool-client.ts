/** The pool as one: whoever answers. What only the owner of a run can tell is `live-first.ts`. */
import { ADMIN_KEY_NAME_HEADER, EXPECTED_NODE_HEADER } from "../../shared/admin.ts";
import { AppError } from "../../shared/errors.ts";
import { type BrowserInfo, BrowsersSchema, IDEMPOTENCY_HEADER, type Member, MembersSchema } from "../../shared/node.ts";
import type { Span } from "../../shared/tracing.ts";
import type { Caller } from "../auth.ts";
import { firstAnswer, isRefusal } from "./first-answer.ts";
import type { KnownNode, Members } from "./members.ts";
import { type Asker, type CallOptions, isNodeFailure, type JsonAnswer } from "./node-client.ts";

/** Whose request it is done for. */
type By = { caller: Caller; requestId: string; span?: Span };

export type PoolClient = {
  /** The JSON answer of any node. Everything here is safe to ask of a second one. */
  any(method: "GET" | "POST", target: string, options: CallOptions): Promise<JsonAnswer>;
  /** Deletes. Where a node may have done it and was not heard of again, that the next one finds nothing is what was asked for. @throws NOT_FOUND */
  delete(target: string, options: CallOptions): Promise<void>;
  /** Creates a run where it will most likely start at once. An idempotency key goes along in any case: it makes asking the next node safe. */
  createRun(body: string, options: By & { idempotencyKey: string | null }): Promise<JsonAnswer>;
  checkRun(body: string, options: By): Promise<JsonAnswer>;
  /** All members, as the store knows them. */
  nodes(asker: Asker): Promise<Member[]>;
  /** The same, each as it says itself at this moment; one that does not answer counts as lost. */
  nodesNow(asker: Asker): Promise<Member[]>;
  /** The node with this id. @throws NOT_FOUND */
  node(nodeId: string, asker: Asker): Promise<{ member: Member; node: KnownNode }>;
  /** Asks the node that is named, on behalf of this key. @throws NOT_FOUND, also where another node has come up at its address */
  admin(nodeId: string, method: "GET" | "POST", target: string, options: By): Promise<JsonAnswer>;
  /** The same of any node that answers: what goes through the store. */
  adminOfAny(method: "GET" | "POST", target: string, options: By): Promise<JsonAnswer>;
  /** Every Chrome of the pool; `missing` are the ids of nodes that did not answer. */
  browsers(asker: Asker): Promise<{ browsers: BrowserInfo[]; missing: string[] }>;
};

const CREATE_LIMIT_MS = 10_000;
/** A look at a node's health takes 20 s at most. */
const ADMIN_LIMIT_MS = 25_000;

const askerFor = ({ requestId, span }: By, onlyOwn: string | null): Asker => ({ onlyOwn, requestId, traceparent: span?.traceparent });

export function createPoolClient(members: Members): PoolClient {
  const any: PoolClient["any"] = (method, target, options) =>
    firstAnswer(members.everyone(), (node) => node.client.json(method, target, options), {
      isFailure: isNodeFailure,
      signal: options.signal,
    });

  const remove: PoolClient["delete"] = async (target, options) => {
    let mayBeDone = false;
    const onResent = () => {
      mayBeDone = true;
    };
    const ask = (node: KnownNode) =>
      node.client.json("DELETE", target, { ...options, onResent }).catch((error: unknown) => {
        mayBeDone ||= isNodeFailure(error) && !isRefusal(error);
        throw error;
      });
    try {
      await firstAnswer(members.everyone(), ask, { isFailure: isNodeFailure, signal: options.signal });
    } catch (error) {
      if (!mayBeDone || !(error instanceof AppError) || error.code !== "NOT_FOUND") throw error;
    }
  };

  const post = async (target: string, options: CallOptions, sent: (node: KnownNode) => void) => {
    await members.ready(); // who is best is known from then on
    return firstAnswer(
      members.forNewRun(),
      async (node) => {
        const answer = await node.client.json("POST", target, { ...options, limitMs: CREATE_LIMIT_MS });
        sent(node);
        return answer;
      },
      { isFailure: (error): error is AppError => isNodeFailure(error) || (error instanceof AppError && error.code === "POOL_SATURATED") },
    );
  };

  const nodes: PoolClient["nodes"] = async (asker) => {
    const { value } = await any("GET", "/nodes", { asker });
    const parsed = MembersSchema.safeParse(value);
    if (parsed.success) return parsed.data.nodes;
    throw new AppError("POOL_UNREACHABLE", "A node did not speak the node protocol at GET /nodes", {
      details: { reason: "garbage" },
      retryAfterS: 1,
    });
  };

  const browsersOf = async (node: KnownNode, nodeId: string, asker: Asker): Promise<BrowserInfo[]> =>
    BrowsersSchema.parse((await node.client.json("GET", "/admin/browsers", { asker, headers: { [EXPECTED_NODE_HEADER]: nodeId } })).value)
      .browsers;

  const nodeOf: PoolClient["node"] = async (nodeId, asker) => {
    const member = (await nodes(asker)).find(({ node_id }) => node_id === nodeId);
    const node = member ? members.find(member.node_id, member.url) : null;
    if (!member || !node) throw new AppError("NOT_FOUND", "No node has this id");
    return { member, node };
  };

  /** The node that is to do something. While the store is away, and nobody can list the members, as this edge knows it: the node itself says whether it is that one. */
  const answering = async (nodeId: string, asker: Asker): Promise<KnownNode> => {
    try {
      return (await nodeOf(nodeId, asker)).node;
    } catch (error) {
      const known = isNodeFailure(error) ? members.everyone().find(({ info, answers }) => answers && info?.node_id === nodeId) : undefined;
      if (known) return known;
      throw error;
    }
  };

  return {
    any,
    delete: remove,
    async admin(nodeId, method, target, by) {
      const asker = askerFor(by, by.caller.onlyOwn);
      const node = await answering(nodeId, asker);
      const headers = { [ADMIN_KEY_NAME_HEADER]: by.caller.name, [EXPECTED_NODE_HEADER]: nodeId };
      return node.client.json(method, `/admin/${target}`, { asker, headers, limitMs: ADMIN_LIMIT_MS });
    },
    adminOfAny: (method, target, by) =>
      any(method, `/admin/${target}`, {
        asker: askerFor(by, by.caller.onlyOwn),
        headers: { [ADMIN_KEY_NAME_HEADER]: by.caller.name },
        limitMs: ADMIN_LIMIT_MS,
      }),
    createRun(body, { idempotencyKey, ...by }) {
      const headers = { [IDEMPOTENCY_HEADER]: idempotencyKey ?? `edge-${crypto.randomUUID()}` };
      return post("/runs", { asker: askerFor(by, by.caller.name), body, headers }, (node) => node.sentSince++);
    },
    checkRun(body, by) {
      return post("/runs?dry_run=true", { asker: askerFor(by, by.caller.name), body }, () => {});
    },
    nodes,
    nodesNow: async (asker) =>
      Promise.all(
        (await nodes(asker)).map(async (member): Promise<Member> => {
          if (member.state === "lost") return member;
          const info = await members
            .find(member.node_id, member.url)
            ?.client.info({ asker })
            .catch(() => null);
          return info?.node_id === member.node_id ? { ...member, ...info } : { ...member, state: "lost" };
        }),
      ),
    node: nodeOf,
    async browsers(asker) {
      const browsers: BrowserInfo[] = [];
      const missing: string[] = [];
      const asked = (await nodes(asker)).filter(({ state }) => state !== "lost");
      await Promise.all(
        asked.map(async ({ node_id, url }) => {
          const node = members.find(node_id, url);
          const found = node ? await browsersOf(node, node_id, asker).catch(() => null) : null; // one silent node must not hide the others' browsers
          if (found) browsers.push(...found);
          else missing.push(node_id);
        }),
      );
      return { browsers: browsers.sort((a, b) => (a.browser_id < b.browser_id ? -1 : 1)), missing };
    },
  };
}
