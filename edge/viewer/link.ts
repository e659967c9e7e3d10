/** Signed links to one run's trace: they stand in for a key where none may appear, in an address. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { type Caller, callerOf } from "../auth.ts";
import type { EdgeConfig } from "../config.ts";

export type Links = {
  /** A link by which this run may be looked at with the rights of the caller's key. */
  make(runId: string, caller: Caller): Promise<{ link: string; expiresAt: Date }>;
  /** What a link is good for. @throws UNAUTHORIZED, `details.reason` link_invalid or link_expired */
  open(link: string | null): Promise<{ runId: string; caller: Caller }>;
};

const ClaimsSchema = z.strictObject({ run_id: z.string(), key_name: z.string(), expires_s: z.int() });
type Claims = z.infer<typeof ClaimsSchema>;
const MAX_LINK_CHARS = 1_000;
const PURPOSE = "understudy trace viewer link, version 1";
const encoder = new TextEncoder();

/**
 * The secret is derived from POOL_TOKEN, which every edge of a pool has: a link made by one is good at all, without anything shared or stored. The
 * derived key is good for links alone, so that nothing signed here is ever of use as the token. The API key is signed along: a link ends with its key.
 */
export function createLinks(
  { poolToken, keys, viewerLinkS }: Pick<EdgeConfig, "poolToken" | "keys" | "viewerLinkS">,
  now = Date.now,
): Links {
  let secret: Promise<CryptoKey> | null = null;
  const secretKey = () => {
    secret ??= deriveSecret(poolToken);
    return secret;
  };
  const keyOf = (name: string) => keys.find((each) => each.name === name);
  const signed = (claims: string, key: string) => encoder.encode(`${claims}\n${key}`);

  return {
    async make(runId, { name }) {
      const expiresS = Math.floor(now() / 1_000) + viewerLinkS;
      const text = JSON.stringify({ run_id: runId, key_name: name, expires_s: expiresS } satisfies Claims);
      const claims = toBase64Url(encoder.encode(text));
      const signature = await crypto.subtle.sign("HMAC", await secretKey(), signed(claims, keyOf(name)?.key ?? ""));
      return { link: `${claims}.${toBase64Url(new Uint8Array(signature))}`, expiresAt: new Date(expiresS * 1_000) };
    },

    async open(link) {
      const [, claims = "", signature = ""] = (link !== null && link.length <= MAX_LINK_CHARS && /^([\w-]+)\.([\w-]+)$/.exec(link)) || [];
      const parsed = parseClaims(claims);
      const key = parsed && keyOf(parsed.key_name);
      const given = fromBase64Url(signature) ?? new Uint8Array(0);
      // verified even when there is no such key, so that time tells nobody which names there are
      const isOurs = await crypto.subtle.verify("HMAC", await secretKey(), given, signed(claims, key?.key ?? ""));
      if (!isOurs || !parsed || !key?.scopes.has("read")) {
        throw refused("link_invalid", "This is no link of ours to a trace, or its key is gone; ask for a new one");
      }
      if (parsed.expires_s * 1_000 <= now()) throw refused("link_expired", "This link to a trace has expired; ask for a new one");
      return { runId: parsed.run_id, caller: callerOf(key) };
    },
  };
}

async function deriveSecret(poolToken: string): Promise<CryptoKey> {
  const token = await crypto.subtle.importKey("raw", encoder.encode(poolToken), "HKDF", false, ["deriveKey"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: encoder.encode(PURPOSE) };
  return crypto.subtle.deriveKey(derivation, token, { name: "HMAC", hash: "SHA-256", length: 256 }, false, ["sign", "verify"]);
}

/** null: it is none. Nothing of it is trusted before the signature is verified. */
function parseClaims(claims: string): Claims | null {
  const bytes = fromBase64Url(claims);
  if (bytes === null) return null;
  try {
    return ClaimsSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data ?? null;
  } catch {
    return null; // not JSON
  }
}

const toBase64Url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  } catch {
    return null; // not base64
  }
}

const refused = (reason: string, message: string): AppError => new AppError("UNAUTHORIZED", message, { details: { reason } });
