/** What programs that tests start take from the tests' own environment; all else is said where they are started. */
const { PATH, HOME, TMPDIR, CHROME_PATH, NODE_COMPILE_CACHE } = process.env;
export const INHERITED = { PATH, HOME, TMPDIR, CHROME_PATH, NODE_COMPILE_CACHE };
