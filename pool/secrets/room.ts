/** Where texts are worked on. */
import type { BareRoom } from "./bare.ts";

export type Room = { text: Uint16Array<ArrayBuffer>; units: Uint16Array; at: Int32Array; bare?: BareRoom };

/** Texts up to here share one room to be worked on. */
const ROOM_CHARS = 1 << 14;
const roomFor = (chars: number): Room => ({ text: new Uint16Array(chars), units: new Uint16Array(chars), at: new Int32Array(chars) });
const SHARED = roomFor(ROOM_CHARS);

/** Of all redactors, as none is left in the middle of a text; a long text has its own. */
export const roomOf = (chars: number): Room => (chars <= ROOM_CHARS ? SHARED : roomFor(chars));
