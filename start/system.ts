/** An edge and a node as two processes that live and end together: what `npm start` keeps up, and what the demo runs on. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { untilAborted, withDeadline } from "../shared/deadline.ts";
import { AppError } from "../shared/errors.ts";
import { CHECK_SETTINGS, EXIT_CONFIG } from "../shared/start-failure.ts";
import { type Keys, openKeys } from "./keys.ts";
import { parsePort, takePort } from "./ports.ts";
import { EndedEarly, type Exit, exitCode, type Output, Program } from "./program.ts";
import { seedPlaybooks } from "./seed.ts";

const PROGRAMS = {
  node: fileURLToPath(new URL("../pool/main.ts", import.meta.url)),
  edge: fileURLToPath(new URL("../edge/main.ts", import.meta.url)),
};
/**
 * A node's memory stays what it is after its first runs, as in package.json's script `pool`. V8 lets the space for new objects grow to 100 MB and that for
 * old ones to twice what is used, and keeps them; the C library keeps eight arenas for each core, and in them the holes of large buffers.
 */
const NODE_FLAGS = ["--max-semi-space-size=4", "--heap-growing-percent=20"];
const NODE_MALLOC = { MALLOC_ARENA_MAX: "2", MALLOC_MMAP_THRESHOLD_: "262144" }; // bytes
/** A first start on a busy machine takes a minute; a program that ends is told of at once. */
const READY_LIMIT_MS = 180_000;
const EDGE_END_MS = 10_000;
/** One that was still starting: it ends once it has started, and takes along what it has made by then. */
const START_END_MS = 20_000;
/** When one ends for its environment, the other gets this long to say what is wrong with its own. */
const OTHER_FAULTS_MS = 20_000;
/** Over the drain's grace: what a node may need for finalizing and for closing its store. */
const NODE_END_MARGIN_MS = 90_000;
const DRAIN_GRACE_S = 60;

/** What only one of the two needs is not told to the other. */
const EDGE_ONLY = ["EDGE_API_KEYS"];
const NODE_ONLY = ["DATABASE_URL", "SECRETS_KEY", "VOLUME_URL", "LLM_API_KEY", "CHROME_WS_ENDPOINTS"];
const NOWHERE = "http://127.0.0.1:0";
const WILDCARDS: Record<string, string> = { "0.0.0.0": "127.0.0.1", "::": "[::1]", "[::]": "[::1]" };

export type System = {
  url: string;
  nodeUrl: string;
  dataDir: string;
  keys: Keys;
  /** Is the launcher's own key the one to use? False when EDGE_API_KEYS is set. */
  ownKey: boolean;
  /** One of them ended unasked: which, and how. Never settles otherwise. */
  broken: Promise<{ name: string; exit: Exit }>;
  /** Ends the node first, then the edge, so that streams get their end. Gives the exit code of the whole. */
  end(): Promise<number>;
};

/** `output`: where their logs go. `signal`: the start is given up. `atOnce`: both end at once, ready or not. `programs`: their files, for tests of how they are kept. */
export type SystemOptions = {
  environment: NodeJS.ProcessEnv;
  output: Output;
  signal: AbortSignal;
  atOnce?: AbortSignal;
  programs?: { node: string; edge: string };
};

/** Starts both and waits until they are ready. @throws with a sentence for the terminal; nothing is left running then */
export async function openSystem({ environment, output, signal, atOnce, programs = PROGRAMS }: SystemOptions): Promise<System> {
  const dataDir = resolve(environment.DATA_DIR || "./data");
  const [node, edge] = [await place(environment, "POOL", 7070), await place(environment, "EDGE", 8080)];
  const keys = await openKeys(dataDir);
  await seedPlaybooks(dataDir);

  const environments = tell(environment, { dataDir, keys, node, edge });
  const taken = placeProblem(node, edge);
  if (taken !== null) {
    await untilAborted(sayFaults(programs, environments, output), signal);
    throw taken;
  }
  const nodeProgram = new Program({ name: "The node", file: programs.node, flags: NODE_FLAGS, environment: environments.node, output });
  const edgeProgram = new Program({ name: "The edge", file: programs.edge, environment: environments.edge, output });
  const both = [nodeProgram, edgeProgram];
  let ending: Promise<number> | null = null;
  const system: System = {
    url: edge.url,
    nodeUrl: node.url,
    dataDir,
    keys,
    ownKey: !environment.EDGE_API_KEYS,
    broken: new Promise((resolve) => {
      for (const { name, exited } of both) {
        exited.then(
          (exit) => ending === null && resolve({ name, exit }),
          () => {}, // it could not be started: `ready` says so
        );
      }
    }),
    end() {
      ending ??= (async () => {
        const nodeExit = await nodeProgram.end(Number(environment.POOL_DRAIN_GRACE_S || DRAIN_GRACE_S) * 1000 + NODE_END_MARGIN_MS);
        const edgeExit = await edgeProgram.end(EDGE_END_MS);
        return exitCode(nodeExit) || exitCode(edgeExit);
      })();
      return ending;
    },
  };
  atOnce?.addEventListener("abort", () => {
    for (const each of both) each.kill();
  });

  const ready = [nodeProgram.ready(node.url, READY_LIMIT_MS), edgeProgram.ready(edge.url, READY_LIMIT_MS)];
  try {
    await untilAborted(Promise.all(ready), signal);
    return system;
  } catch (error) {
    if (error instanceof EndedEarly && error.exit.code === EXIT_CONFIG)
      await withDeadline(OTHER_FAULTS_MS, () => Promise.all([nodeProgram.judged(node.url), edgeProgram.judged(edge.url)])).catch(() => {});
    await Promise.allSettled(both.map((each) => each.end(START_END_MS)));
    throw error;
  }
}

type Place = Awaited<ReturnType<typeof place>>;

/** What each of the two is told: ours, over what the operator set. */
function tell(given: NodeJS.ProcessEnv, { dataDir, keys, node, edge }: { dataDir: string; keys: Keys; node: Place; edge: Place }) {
  const common = { ...given, DATA_DIR: dataDir, POOL_TOKEN: given.POOL_TOKEN || keys.poolToken };
  return {
    node: without(EDGE_ONLY, {
      ...NODE_MALLOC,
      ...common,
      POOL_HOST: node.host,
      POOL_PORT: String(node.port),
      CHROME_SANDBOX: given.CHROME_SANDBOX || "auto",
    }),
    edge: without(NODE_ONLY, {
      ...common,
      EDGE_HOST: edge.host,
      EDGE_PORT: String(edge.port),
      EDGE_API_KEYS: given.EDGE_API_KEYS || `local:runs+pool:${keys.apiKey}`,
      POOL_NODES: [node.url, given.POOL_NODES].filter(Boolean).join(","),
    }),
  };
}

/** Why the two cannot have their ports; null: they can. */
function placeProblem(node: Place, edge: Place): AppError | null {
  if (node.url === edge.url && node.url !== NOWHERE)
    return new AppError("CONFLICT", `EDGE_PORT and POOL_PORT are both ${node.port}; set one of them to another, or to 0 for any`);
  const [first, second] = [node.problem, edge.problem].filter((each) => each !== null);
  return first && second ? new AppError(first.code, `${first.message}\n${second.message}`) : (first ?? null);
}

/** Each says what is wrong with its settings, and opens nothing: a taken port is not all that an operator has to put right. */
async function sayFaults({ node, edge }: typeof PROGRAMS, environments: ReturnType<typeof tell>, output: Output): Promise<void> {
  const args = [CHECK_SETTINGS];
  const both = [
    new Program({ name: "The node", file: node, args, environment: environments.node, output }),
    new Program({ name: "The edge", file: edge, args, environment: environments.edge, output }),
  ];
  await withDeadline(OTHER_FAULTS_MS, () => Promise.allSettled(both.map(({ exited }) => exited))).catch(() => {}); // they end with us
}

/** Where one of them listens, and how the others reach it there. What is no port stays as it is: the program refuses it, with all else that is wrong. */
async function place(environment: NodeJS.ProcessEnv, prefix: "POOL" | "EDGE", fallback: number) {
  const variable = `${prefix}_PORT`;
  const host = environment[`${prefix}_HOST`] || "127.0.0.1";
  const wanted = parsePort(environment[variable] || String(fallback));
  if (wanted === null) return { host, port: environment[variable], url: NOWHERE, problem: null };
  const port = await takePort(host, wanted, prefix).catch((error: unknown) => {
    if (error instanceof AppError) return error;
    throw error;
  });
  if (port instanceof AppError) return { host, port: wanted, url: NOWHERE, problem: port };
  const reached = WILDCARDS[host] ?? (host.includes(":") && !host.startsWith("[") ? `[${host}]` : host);
  return { host, port, url: `http://${reached}:${port}`, problem: null };
}

const without = (names: string[], environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !names.includes(name)));
