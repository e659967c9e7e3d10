/** Characters that one action may bring back. A longer text of a page is cut and says so; half of a JSON value would be none, so that fails. */
export const TEXT_LIMIT = 200_000;
