/** Key → who calls and what they may do. */
import { AppError } from "../shared/errors.ts";
import { type ApiKey, MAX_KEY_CHARS, type Scope } from "./config.ts";

/** Who calls. `onlyOwn`: null for those who see everybody's runs, else the name that nodes filter by. */
export type Caller = { name: string; scopes: ReadonlySet<Scope>; onlyOwn: string | null };

export type Authenticate = (authorization: string | null | undefined) => Caller;

/** @throws UNAUTHORIZED from the function returned */
export function createAuthenticate(keys: readonly ApiKey[]): Authenticate {
  const known = keys.map((each) => ({ units: toUnits(each.key, new Uint16Array(MAX_KEY_CHARS)), caller: callerOf(each) }));
  const given = new Uint16Array(MAX_KEY_CHARS);
  return (authorization) => {
    const key = parseBearer(authorization);
    if (key === null) throw unauthorized("Send the API key as Authorization: Bearer <key>");
    toUnits(key, given);
    let caller: Caller | null = null;
    for (const each of known) if (equal(each.units, given)) caller = each.caller; // on to the last, whichever matched
    if (caller === null || key.length > MAX_KEY_CHARS) throw unauthorized("No API key is like this one");
    return caller;
  };
}

/** Whoever shows this key. */
export const callerOf = ({ name, scopes }: ApiKey): Caller => ({ name, scopes, onlyOwn: scopes.has("pool") ? null : name });

/** The token of `Bearer <token>`; null for anything else. */
export function parseBearer(authorization: string | null | undefined): string | null {
  return /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? "")?.[1] ?? null;
}

/** @throws FORBIDDEN */
export function requireScope(caller: Caller, scope: Scope): void {
  if (!caller.scopes.has(scope)) throw new AppError("FORBIDDEN", `This needs a key with the scope "${scope}"`, { details: { scope } });
}

/** Padded with zeros to one length for all, so that the length does not show in the time either. A key holds no zero. */
function toUnits(key: string, into: Uint16Array): Uint16Array {
  for (let i = 0; i < MAX_KEY_CHARS; i++) into[i] = key.charCodeAt(i); // NaN beyond the end is stored as 0
  return into;
}

/** Takes as long whatever differs, and wherever. In plain arithmetic: hashing first would cost each request a trip to a worker thread. */
function equal(a: Uint16Array, b: Uint16Array): boolean {
  let difference = 0;
  for (let i = 0; i < MAX_KEY_CHARS; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

const unauthorized = (message: string): AppError => new AppError("UNAUTHORIZED", message);
