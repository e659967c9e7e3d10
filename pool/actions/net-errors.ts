/** Why a document did not come, in words: Chrome's net errors, and what our own way out says of plain http (RFC 9209). */

const MEANINGS: Record<string, string> = {
  "net::ERR_NAME_NOT_RESOLVED": "no such host (net::ERR_NAME_NOT_RESOLVED)",
  "net::ERR_CONNECTION_REFUSED": "the connection was refused (net::ERR_CONNECTION_REFUSED)",
  "net::ERR_TUNNEL_CONNECTION_FAILED": "the network did not let it through (net::ERR_TUNNEL_CONNECTION_FAILED)",
  "net::ERR_ABORTED": "the navigation was broken off (net::ERR_ABORTED)",
};

const PROXY_MEANINGS: Record<string, string> = {
  connection_refused: "the connection was refused",
  connection_timeout: "the server did not answer in time",
  connection_terminated: "the server broke the connection off",
  destination_ip_unroutable: "there is no way to the server",
  http_request_denied: "it was not let through",
  http_protocol_error: "what the server answered is not HTTP",
};

const CODES: Record<string, string> = {
  ECONNREFUSED: "the connection was refused",
  ENOTFOUND: "no such host",
  ETIMEDOUT: "the server did not answer in time",
  ECONNRESET: "the server broke the connection off",
};

/** `code`: as Node says it. */
export const codeMeaning = (code: string): string => `${CODES[code] ?? "the server could not be reached"} (${code})`;
export const netErrorMeaning = (error: string): string => MEANINGS[error] ?? error;
export const proxyErrorMeaning = (error: string): string => PROXY_MEANINGS[error] ?? `the server could not be reached (${error})`;
