/** Connects to the addresses that were judged, and to no other: names are never resolved a second time. */
import type { LookupAddress, LookupOptions } from "node:dns";
import { connect, isIPv4, type LookupFunction, type Socket, type TcpNetConnectOpts } from "node:net";
import { parseAddress, samePrefix } from "./addresses.ts";
import type { Target } from "./policy.ts";

const CONNECT_MS = 10_000;
/** Before the next address is tried. Longer than Node's own 250 ms: a far server is not a dead one. */
export const ATTEMPT_MS = 2_500;

/** What `net.connect` and `http.request` take. For a literal Node calls no lookup, and `host` is the address itself. */
export function dialOptions({ host, port, addresses }: Target): Pick<TcpNetConnectOpts, "host" | "port" | "lookup"> {
  const name = host.startsWith("[") ? host.slice(1, -1) : host;
  return { host: name, port, lookup: judgedLookup(addresses) };
}

function judgedLookup(addresses: readonly string[]): LookupFunction {
  const answers: LookupAddress[] = addresses.map((address) => ({ address, family: isIPv4(address) ? 4 : 6 }));
  return (_host: string, options: LookupOptions, callback) => {
    const [first] = answers;
    if (options.all) callback(null, answers);
    else callback(null, first?.address ?? "", first?.family);
  };
}

/** A socket on its way; `error` when nobody answers in time. */
export function dial(target: Target): Socket {
  const options = dialOptions(target);
  const socket = connect({
    ...options,
    noDelay: true,
    allowHalfOpen: true,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
  });
  return guardDial(socket, target);
}

/** Bounds the time to connect, and breaks off should the socket ever be connected elsewhere. A socket that is connected is left as it is. */
export function guardDial(socket: Socket, target: Target): Socket {
  if (!socket.connecting) return socket;
  const timer = setTimeout(() => socket.destroy(Object.assign(new Error("No connection in time"), { code: "ETIMEDOUT" })), CONNECT_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.once("connect", () => {
    clearTimeout(timer);
    const remote = parseAddress(socket.remoteAddress ?? "");
    const judged = target.addresses.some((each) => {
      const bytes = parseAddress(each);
      return remote !== null && bytes !== null && samePrefix(remote, bytes, bytes.length * 8);
    });
    if (!judged) socket.destroy(new Error("Connected to an address that was not judged"));
  });
  return socket;
}
