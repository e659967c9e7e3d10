/**
 * A Chrome in a network namespace of its own, which has a loopback and nothing else: no interface, no route, no name server. Its one way out
 * is a socket that was opened inside and handed to this process, where the browser's egress listener takes its connections. Nothing is copied
 * on the way and no helper stays.
 */
import type { ChildProcess } from "node:child_process";
import { Server } from "node:net";
import { untilAborted } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";

/** Free in every namespace: each is new. */
const PORT = 3128;
/** The socket listens on the whole loopback: a Chrome that runs share tells them apart by the address (ways-out.ts). */
export const ownNetworkProxyUrl = (lastByte: number): string => `http://127.0.0.${lastByte}:${PORT}`;
export const OWN_NETWORK_PROXY_URL = ownNetworkProxyUrl(1);
export const OWN_NETWORK_HOSTS = "127.0.0.*";

/** The child's IPC channel, after the pipes that drive Chrome. */
export const IPC_FD = 5;
/** Our own Node, opened for reading: the user that Chrome runs as may start it, and need not be let into the folder where it is (a clone in /root). */
export const NODE_FD = 6;

/** Runs inside, once: opens the socket, hands it over, and is gone before Chrome starts. */
const OPENER = `const server = require("net").createServer().listen({ port: ${PORT}, host: "0.0.0.0", backlog: 511 }, () =>
  process.send("way out", server, (error) => { process.exitCode = error ? 1 : 0; process.disconnect(); server.close(); }));
server.on("error", (error) => { console.error(error.message); process.exit(1); });`;

/**
 * As an unprivileged user: a user namespace brings the right to make a network namespace, in which loopback is switched on. Then Chrome, in
 * one more user namespace that gives it its own name back: as the first one's root it would have no sandbox. Each step becomes the next, so
 * that the process, its pipes and its group stay the same.
 */
const SCRIPT = `set -e
PATH="$PATH:/usr/sbin:/sbin" ip link set lo up
/proc/self/fd/${NODE_FD} -e "$1" 3<&- 4<&-
unset NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE
uid=$2 gid=$3; shift 3
exec unshare --user --map-user="$uid" --map-group="$gid" -- "$@" ${IPC_FD}<&- ${NODE_FD}<&-`;

export type Ids = { uid: number; gid: number };

/** What to spawn in place of Chrome. It needs an IPC channel as its fd 5, and this Node as 6. */
export function inOwnNetwork(executable: string, args: readonly string[], { uid, gid }: Ids): { command: string; args: string[] } {
  const inside = ["sh", "-c", SCRIPT, "sh", OPENER, String(uid), String(gid), executable, ...args];
  return { command: "unshare", args: ["--user", "--map-root-user", "--net", "--", ...inside] };
}

/** @throws SETUP_FAILED when the child hands nothing over, which is how a machine without such namespaces shows; or the signal's reason */
export async function takeWayOut(child: ChildProcess, signal: AbortSignal): Promise<Server> {
  const handed = new Promise<Server>((resolve, reject) => {
    child.once("message", (_, handle) => (handle instanceof Server ? resolve(handle) : reject(noNetwork())));
    child.once("disconnect", () => reject(noNetwork())); // nothing comes any more
  });
  let isTaken = false;
  try {
    const server = await untilAborted(handed, signal);
    isTaken = true;
    return server;
  } finally {
    if (!isTaken) handed.then((server) => server.close()).catch(() => {}); // one that comes too late would keep this process from ending
  }
}

const noNetwork = (): AppError =>
  new AppError(
    "SETUP_FAILED",
    "This machine gives Chrome no network of its own: it needs user namespaces, unshare (util-linux) and ip (iproute2)",
  );
