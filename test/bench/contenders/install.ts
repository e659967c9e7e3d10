/** The peers' packages: no dependencies of this project, but fetched by npm at the bench's first run and kept among other caches. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../support/processes.ts";

/** Exact: a figure is of a version. */
export const PEERS = { "@browserless.io/browserless": "2.42.0", "puppeteer-cluster": "0.25.0" };

/** Scripts fetch browsers and compile what no session needs; puppeteer-cluster is given the puppeteer that we drive Chrome with. */
const HOW = ["install", "--ignore-scripts", "--legacy-peer-deps", "--omit=dev", "--no-audit", "--no-fund"];

/** @returns the folder whose `node_modules` has them */
export async function installPeers(): Promise<string> {
  const cache = join(ROOT, "node_modules/.cache/understudy");
  const hash = createHash("sha256")
    .update(JSON.stringify([PEERS, HOW]))
    .digest("hex")
    .slice(0, 16);
  const folder = join(cache, `peers-${hash}`);
  if (existsSync(folder)) return folder;
  console.error(`Installing what ours is compared with, once, into ${folder}: ${versions()}`);
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(join(cache, "making-"));
  try {
    await writeFile(join(making, "package.json"), JSON.stringify({ private: true, dependencies: PEERS }));
    await promisify(execFile)("npm", HOW, { cwd: making, maxBuffer: 64 * 1024 * 1024 });
    await rename(making, folder);
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim().slice(-1_000) ?? "";
    throw new Error(`npm could not install ${versions()}; the other benches need no network. ${said}`, { cause });
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  return folder;
}

const versions = () =>
  Object.entries(PEERS)
    .map(([name, version]) => `${name}@${version}`)
    .join(", ");
