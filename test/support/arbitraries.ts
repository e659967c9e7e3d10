/**
 * What properties are tried with. fast-check's own `unit: "binary"`, and its URLs, first make a table of a million characters: two
 * seconds of CPU and 100 MB for each process that asks.
 */
import fc from "fast-check";

const SURROGATES = { from: 0xd800, count: 0x800 }; // half a character each
const LAST = 0x10ffff;

/** Each character that there is: `fc.string({ unit: ANY_CHARACTER })`. */
export const ANY_CHARACTER = fc.nat({ max: LAST - SURROGATES.count }).map(
  (place) => String.fromCodePoint(place < SURROGATES.from ? place : place + SURROGATES.count),
  (character) => {
    const point = typeof character === "string" && [...character].length === 1 ? (character.codePointAt(0) as number) : -1;
    if (point < SURROGATES.from) return point; // -1: none of these
    return point < SURROGATES.from + SURROGATES.count ? -1 : point - SURROGATES.count;
  },
);

const SAFE = "abcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@";
const URL_PART = fc.string({
  unit: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...SAFE) }, { weight: 1, arbitrary: ANY_CHARACTER.map(encodeURIComponent) }),
});

/** Addresses with paths, queries and fragments. */
export const WEB_URL = fc
  .tuple(fc.constantFrom("http", "https"), fc.webAuthority(), fc.array(URL_PART), fc.option(URL_PART), fc.option(URL_PART))
  .map(([scheme, host, path, query, fragment]) => {
    const rest = `${query === null ? "" : `?${query}`}${fragment === null ? "" : `#${fragment}`}`;
    return `${scheme}://${[host, ...path].join("/")}${rest}`;
  });
