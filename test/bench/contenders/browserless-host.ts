/** browserless as it starts itself, but with our Chrome and tied to the bench: `node browserless-host.ts <folder with its package> <executable of Chrome>`. */
import { mkdirSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { endWithBench } from "./life-line.ts";

endWithBench();
const [folder = "", chromePath = ""] = process.argv.slice(2);
const build = `${folder}/node_modules/@browserless.io/browserless/build`;
const place = (link: string, target: string) => {
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(target, link);
};

// It has no setting for the executable and takes the one of its Playwright, below PLAYWRIGHT_BROWSERS_PATH: that is a link to ours.
const { chromium } = createRequire(`${build}/`)("playwright-core") as { chromium: { executablePath(): string } };
place(chromium.executablePath(), chromePath);
// It starts with no route of a browser that is not there: its image for Chromium has these alone.
for (const routes of ["chromium", "management"]) place(`${process.env.ROUTES}/${routes}`, `${build}/routes/${routes}`);
await import(pathToFileURL(`${build}/index.js`).href);
