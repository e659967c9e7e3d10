/**
 * A Chrome in a network namespace of its own, which has a loopback and nothing else: no interface, no route, no name server. Its one way out
 * is a socket that was opened inside and handed to this process, where the browser's egress listener takes its connections. Nothing is copied
 * on the way and no helper stays. Its profile is in memory (memory-profile.ts).
 */
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Server, type Socket } from "node:net";
import { release } from "node:os";
import { untilAborted } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { Egress } from "./held-browser.ts";
import { MOUNT_PROFILE, OWN_MOUNTS } from "./memory-profile.ts";

/** Free in every namespace: each is new, or as good as new. */
const PORT = 3128;
/** The socket listens on the whole loopback: a Chrome that runs share tells them apart by the address (ways-out.ts). */
export const ownNetworkProxyUrl = (lastByte: number): string => `http://127.0.0.${lastByte}:${PORT}`;
export const OWN_NETWORK_PROXY_URL = ownNetworkProxyUrl(1);
export const OWN_NETWORK_HOSTS = "127.0.0.*";

/** Runs inside, once: opens the socket, hands it over, waits until that is taken, and is gone before Chrome starts. */
const OPENER = `const server = require("net").createServer().listen({ port: ${PORT}, host: "0.0.0.0", backlog: 511 }, () => {
  process.once("message", () => process.disconnect());
  process.send("way out", server, (error) => { if (error) process.exit(1); server.close(); });
});
server.on("error", (error) => { console.error(error.message); process.exit(1); });`;

/**
 * As an unprivileged user: a user namespace brings the right to make a network namespace, in which loopback is switched on. Then Chrome, in
 * one more user namespace that gives it its own name back: as the first one's root it would have no sandbox. Each step becomes the next, so
 * that the process, its pipes and its group stay the same. Handed to it, after the pipes that drive Chrome: its IPC channel as 5; our own Node
 * as 6, opened for reading: the user that Chrome runs as may start it, and need not be let into the folder where it is (a clone in /root).
 */
const NEW = `set -e
PATH="$PATH:/usr/sbin:/sbin" ip link set lo up
/proc/self/fd/6 -e "$1" 3<&- 4<&-
unset NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE
shift`;

/**
 * In a network that another Chrome had: goes on only where nothing is left of that one, and the kernel says so, whom nobody races. First, no
 * process is: each was in a user namespace below this one, where the kernel counts them; we are three, and may not be more. (Before Linux 5.14
 * it counts all of a user's; until 5.17 it lets one too many in: `COUNTS_PROCESSES`.) Then, no socket is but ours: `used` counts what was passed on to others too, what waits to be
 * accepted and what is not yet closed. Who is not in the network comes in no more, nor is it other than it was: both take rights in this user
 * namespace, which no Chrome has.
 */
const AGAIN = `set -e
prlimit --nproc=3: unshare --fork true
read -r _ _ used </proc/self/net/sockstat
[ "$used" = 1 ] || { echo "$used sockets are in it" >&2; exit 1; }`;

const CHROME = `
profile=$1 mib=$2 uid=$3 gid=$4; shift 4
${MOUNT_PROFILE}
exec unshare --user --map-user="$uid" --map-group="$gid" -- "$@" 5<&- 6<&-`;

/** The Chrome that is to run inside. */
export type Inside = {
  executable: string;
  args: readonly string[];
  ids: { uid: number; gid: number };
  /** Its folder, and the MiB of memory that it may take; 0: it stays on disk. */
  profile: { path: string; mib: number };
};

const argumentsOf = ({ executable, args, ids, profile }: Inside): string[] => [
  profile.path,
  ...[profile.mib, ids.uid, ids.gid].map(String),
  executable,
  ...args,
];

/** What to spawn in place of Chrome, and what to hand it after the pipes that drive Chrome. To be disposed once that is spawned. */
export type Start = Disposable & { command: string; args: string[]; handed: ("ipc" | number)[] };

export function inNewNetwork(chrome: Inside): Start {
  const node = openSync(process.execPath, "r");
  const inside = ["sh", "-c", NEW + CHROME, "sh", OPENER, ...argumentsOf(chrome)];
  const mounts = chrome.profile.mib > 0 ? OWN_MOUNTS : [];
  return {
    command: "unshare",
    args: ["--user", "--map-root-user", "--net", ...mounts, "--", ...inside],
    handed: ["ipc", node],
    [Symbol.dispose]: () => closeSync(node),
  };
}

/** Does the kernel keep to a user namespace's limit of processes? Later ones of 5.15 and 5.16 do too, but do not say so. */
export const COUNTS_PROCESSES = (([major = 0, minor = 0]) => major > 5 || (major === 5 && minor >= 17))(release().split(".").map(Number));

/** A namespace is held by its file, without a process in it. */
type Handles = { user: number; net: number };

/** Such a network, as long as it may have a Chrome: the next one too, when that of now is gone (kept-networks.ts). */
export class OwnNetwork implements Disposable {
  readonly #server: Server;
  readonly #handles: Handles | null;
  #taker: Pick<Egress, "take"> | null = null;
  #isClosed = false;

  constructor(server: Server, handles: Handles | null) {
    this.#server = server;
    this.#handles = handles;
    server.on("connection", (socket: Socket) => (this.#taker === null ? socket.destroy() : this.#taker.take(socket)));
  }

  /** false: this machine lets us not hold it, as root without CAP_SYS_PTRACE, or could not tell what is left in it. */
  get canBeEntered(): boolean {
    return this.#handles !== null;
  }

  /** Whose it is from now on. null: nobody's, what connects is hung up on. */
  giveTo(taker: Pick<Egress, "take"> | null): void {
    this.#taker = taker;
  }

  /** It ends before Chrome starts where something is left of the one before. Whose it is then is to be said once Chrome runs, not sooner. */
  again(chrome: Inside): Start {
    if (this.#handles === null) throw new AppError("INTERNAL", "This network cannot be entered again");
    const inside = ["sh", "-c", AGAIN + CHROME, "sh", ...argumentsOf(chrome)];
    const mounts = chrome.profile.mib > 0 ? ["unshare", ...OWN_MOUNTS, "--"] : [];
    return {
      command: "nsenter",
      args: ["--preserve-credentials", "--user=/proc/self/fd/5", "--net=/proc/self/fd/6", "--", ...mounts, ...inside],
      handed: [this.#handles.user, this.#handles.net],
      [Symbol.dispose]: () => {},
    };
  }

  /** Idempotent. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.giveTo(null);
    this.#server.close();
    for (const fd of Object.values(this.#handles ?? {})) closeSync(fd);
  }
}

/** @throws SETUP_FAILED when the child hands nothing over, which is how a machine without such namespaces shows; or the signal's reason */
export async function takeNetwork(child: ChildProcess, signal: AbortSignal): Promise<OwnNetwork> {
  const handed = new Promise<OwnNetwork>((resolve, reject) => {
    child.once("message", (_, handle) => {
      if (!(handle instanceof Server)) return reject(noNetwork());
      resolve(new OwnNetwork(handle, openHandles(child.pid)));
      child.send("taken", () => {}); // until then it stays in its first user namespace; one that is gone needs no answer
    });
    child.once("disconnect", () => reject(noNetwork())); // nothing comes any more
  });
  let isTaken = false;
  try {
    const network = await untilAborted(handed, signal);
    isTaken = true;
    return network;
  } finally {
    if (!isTaken) handed.then((network) => network[Symbol.dispose]()).catch(() => {}); // one that comes too late would keep this process from ending
  }
}

function openHandles(pid: number | undefined): Handles | null {
  if (!COUNTS_PROCESSES) return null;
  let user: number | null = null;
  try {
    user = openSync(`/proc/${pid}/ns/user`, "r");
    return { user, net: openSync(`/proc/${pid}/ns/net`, "r") };
  } catch {
    if (user !== null) closeSync(user);
    return null;
  }
}

const noNetwork = (): AppError =>
  new AppError(
    "SETUP_FAILED",
    "This machine gives Chrome no network of its own: it needs user namespaces, unshare (util-linux) and ip (iproute2), " +
      "and mount namespaces unless POOL_PROFILE_MB is 0",
  );
