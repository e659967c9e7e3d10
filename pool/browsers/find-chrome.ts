/** The Chrome this node drives; the same look as set-up's, so that what set-up installed is what we find. */
import { realpath } from "node:fs/promises";
import { AppError } from "../../shared/errors.ts";
import { findChrome, HOW_TO_GET_CHROME } from "../../start/find-chrome.js";

/** @param chromePath CHROME_PATH, or null: look in the usual places
 *  @throws SETUP_FAILED there is none; the message says how to get one */
export async function requireChrome(chromePath: string | null): Promise<string> {
  const found = await findChrome(chromePath === null ? withoutChromePath() : { ...process.env, CHROME_PATH: chromePath }).catch(
    (cause: Error) => {
      throw new AppError("SETUP_FAILED", cause.message, { cause });
    },
  );
  if (found === null) throw new AppError("SETUP_FAILED", `No Chrome on this machine. ${HOW_TO_GET_CHROME}`);
  return realpath(found);
}

const withoutChromePath = () => ({ ...process.env, CHROME_PATH: undefined });
