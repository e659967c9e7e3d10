/** How much of the pool an API key may take, as an operator writes it down. Keys are named as in `EDGE_API_KEYS`. */

/** `running`: runs that have a slot; more wait, and others overtake them. `queued`: runs that wait; `per_minute`: runs posted. More of these are refused. */
export type KeyLimits = { running?: number; queued?: number; per_minute?: number };
/** By name; `*`: each key that is not named. */
export type LimitsOfKeys = ReadonlyMap<string, KeyLimits>;

const KINDS = ["running", "queued", "per_minute"] as const;

/** `name:running=2+queued=100+per_minute=60`, comma-separated; null when it is something else. */
export function parseKeyLimits(text: string): LimitsOfKeys | null {
  const all = new Map<string, KeyLimits>();
  for (const entry of text.split(",")) {
    const [, name, limits] = /^\s*(\*|[A-Za-z0-9._-]{1,100}):([^:\s]+)\s*$/.exec(entry) ?? [];
    if (name === undefined || limits === undefined || all.has(name)) return null;
    const ofKey: KeyLimits = {};
    for (const limit of limits.split("+")) {
      const [, word, number] = /^([a-z_]+)=([1-9]\d{0,6})$/.exec(limit) ?? [];
      const kind = KINDS.find((each) => each === word);
      if (kind === undefined || ofKey[kind] !== undefined) return null;
      ofKey[kind] = Number(number);
    }
    all.set(name, ofKey);
  }
  return all;
}
