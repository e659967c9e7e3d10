/** Opening a URL in the active tab. */
import { untilAborted } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import type { DocumentResponse } from "./activity.ts";
import type { ActionOf, Attempt } from "./attempt.ts";
import { netErrorMeaning, proxyErrorMeaning } from "./net-errors.ts";
import type { PageLink } from "./page-link.ts";
import { markInput } from "./settle.ts";

/** The name of a download, and a move within a document, are told a moment after the answer. */
const TOLD_LATER_MS = 300;

/** A URL that may be shown: where it leads, without what it carries; cut, with a mark, for what looks for secrets in it. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return short(url.replace(/[?#].*$/s, ""), 200);
  const { protocol, host, pathname } = new URL(url);
  return protocol === "data:" || protocol === "blob:" ? `${protocol}…` : short(`${protocol}//${host}${pathname}`, 300);
}

const short = (text: string, chars: number): string => (text.length > chars ? `${text.slice(0, chars)}…` : text);

/**
 * Resolves when the document is read to its end (DOMContentLoaded). An HTTP error is a page like any other; the text says its status.
 * @throws ActionError with `details.net_error` when there is no document: refused, unknown host, bad certificate
 */
export async function goto(attempt: Attempt, { params: { url } }: ActionOf<"goto">): Promise<string | null> {
  const target = parseUrl(url);
  const { signal } = attempt;
  const link = await attempt.tabs.ready(signal);
  const { activity, session } = link;
  signal.throwIfAborted();
  markInput(link);
  attempt.dispatched = true;
  attempt.obstacle = `${shownUrl(target)}: the server did not answer`;
  const downloads = activity.downloads.count;
  try {
    const navigating = session.send("Page.navigate", { url: target });
    navigating.catch(() => {}); // out of time; the reason is thrown below
    const { errorText, loaderId, isDownload } = await untilAborted(navigating, signal);
    if (errorText) {
      const isFile = () => activity.downloads.count > downloads;
      if (isDownload) await activity.until(isFile, TOLD_LATER_MS, signal);
      return withoutDocument(link, target, errorText, isDownload || isFile());
    }
    if (!loaderId) {
      const { href } = new URL(target); // the same document, at another fragment
      await activity.until(() => activity.url === href, TOLD_LATER_MS, signal);
      return null;
    }
    attempt.obstacle = `${shownUrl(target)}: the document was not read to its end`;
    await activity.until(() => activity.hasCome(loaderId) && activity.document.loaded, 2 ** 31 - 1, signal);
    const { response } = activity;
    if (!response || response.loaderId !== activity.document.loaderId || response.status < 400) return null;
    return errorStatus(target, response); // the headless shell shows an error without a body as an empty page
  } catch (error) {
    if (signal.aborted) session.send("Page.stopLoading").catch(() => {}); // it must not come in under the next step
    throw error;
  }
}

/** Nothing is guessed: the URL that is opened is the one that the guardrails have judged. */
function parseUrl(url: string): string {
  const parsed = URL.parse(url);
  if (!parsed) throw new ActionError(`Cannot open ${shownUrl(url)}: it is not an absolute URL, such as https://example.com/orders`);
  if (parsed.protocol === "javascript:") throw new ActionError("Cannot open a javascript: URL: use the action evaluate");
  return parsed.href;
}

/** There is no new document: a download began, the server had nothing to show, or the request failed. */
function withoutDocument({ activity }: PageLink, url: string, errorText: string, isDownload: boolean): string {
  const { response } = activity;
  if (isDownload) return `Downloading ${activity.downloads.file || "a file"}`;
  if (errorText === "net::ERR_ABORTED" && response && (response.status === 204 || response.status === 205)) return statusText(response);
  if (errorText === "net::ERR_HTTP_RESPONSE_CODE_FAILURE" && response) return errorStatus(url, response); // an error without a body
  throw new ActionError(`Cannot open ${shownUrl(url)}: ${netErrorMeaning(errorText)}`, {
    dispatched: true,
    details: { net_error: errorText },
  });
}

/** What our own way out says of plain http (RFC 9209). */
const REFUSED = "http_request_denied";

/** @throws ActionError the answer is not the server's, but says that our own way out did not get through to it */
function errorStatus(url: string, response: DocumentResponse): string {
  const { proxyError } = response;
  if (proxyError === null || proxyError === REFUSED) return statusText(response); // a refusal is told by the guardrails
  throw new ActionError(`Cannot open ${shownUrl(url)}: ${proxyErrorMeaning(proxyError)}`, {
    dispatched: true,
    details: { net_error: proxyError },
  });
}

const statusText = ({ status, statusText: text }: { status: number; statusText: string }): string => `${status} ${text}`.trim();
