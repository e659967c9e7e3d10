/** Recorded pages are strangers' content: on a host of its own the viewer shares nothing with the API, not even an origin. */
import { AppError } from "../../shared/errors.ts";
import type { Endpoint } from "../endpoint.ts";

/** null: it may be served at this host. A redirect: its place is the viewer's. @throws NOT_FOUND for all of the API at the viewer's host */
export type HostRule = (endpoint: Pick<Endpoint, "viewer">, request: Request, head: Record<string, string>) => Response | null;

export function createHostRule(viewerOrigin: string | null): HostRule {
  if (viewerOrigin === null) return () => null;
  const { host } = new URL(viewerOrigin);
  return ({ viewer }, request, head) => {
    const isViewerHost = request.headers.get("host")?.toLowerCase() === host;
    if (isViewerHost && !viewer) throw new AppError("NOT_FOUND", "This host has the trace viewer alone; the API is at another");
    if (isViewerHost || !viewer) return null;
    const { pathname, search } = new URL(request.url);
    return new Response(null, { status: 307, headers: { ...head, Location: viewerOrigin + pathname + search } });
  };
}
