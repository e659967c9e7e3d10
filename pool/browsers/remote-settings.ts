/** What an operator sets of remote Chromes, and what is wrong with it. */
import { isIPv6 } from "node:net";
import type { Issue } from "../../shared/errors.ts";

/** The word in POOL_EGRESS_ADVERTISE for: I know, and want it so. */
export const NO_EGRESS = "none";

/** Of CHROME_WS_ENDPOINTS and POOL_EGRESS_ADVERTISE, null: not set. Addresses are not repeated, some hold passwords. */
export function remoteIssues(endpoints: readonly string[], egressAdvertise: string | null): Issue[] {
  const wrong = endpoints.flatMap((endpoint, i) =>
    isEndpoint(endpoint) ? [] : [{ path: `CHROME_WS_ENDPOINTS[${i}]`, message: "Expected a ws:// or http:// address" }],
  );
  const path = "POOL_EGRESS_ADVERTISE";
  if (egressAdvertise === null) {
    const message =
      "Required with CHROME_WS_ENDPOINTS: the address under which those Chromes reach this node, through which their traffic goes. " +
      `${path}=${NO_EGRESS} uses them without guardrails on the network`;
    return endpoints.length > 0 ? [...wrong, { path, message }] : wrong;
  }
  return isHost(egressAdvertise)
    ? wrong
    : [...wrong, { path, message: `Expected a host name or an IP address, without a port, or ${NO_EGRESS}` }];
}

const isEndpoint = (text: string): boolean => URL.canParse(text) && /^(wss?|https?):$/.test(new URL(text).protocol);

const isHost = (text: string): boolean =>
  isIPv6(text.replace(/^\[(.*)\]$/, "$1")) || (/^[\w.-]+$/.test(text) && URL.canParse(`http://${text}`));
