/** Runs every bench beside this file, or those named (`npm run bench -- relay`), one after the other, and prints medians and ratios. */
import { readdir } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { type BenchResult, isMet, render } from "./support/result.ts";

/** `onRequest`: takes so long that it is run only when it is named. */
type Bench = { bench(): Promise<BenchResult>; onRequest?: boolean };

const wanted = process.argv.slice(2);
const names = (await readdir(new URL("./", import.meta.url)))
  .filter((file) => file.endsWith(".ts") && file !== "main.ts")
  .map((file) => file.slice(0, -3))
  .filter((name) => wanted.length === 0 || wanted.includes(name));
if (names.length === 0) throw new Error(`No bench is named ${wanted.join(", ")}`);

console.log(`${availableParallelism()} × ${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.versions.node}, ${new Date().toISOString()}`);
const results: BenchResult[] = [];
for (const name of names) {
  const { bench, onRequest } = (await import(new URL(`./${name}.ts`, import.meta.url).href)) as Bench;
  if (onRequest && !wanted.includes(name)) continue;
  const result = await bench();
  results.push(result);
  console.log(render(result));
}
const missed = results.flatMap(({ aims }) => aims).filter((aim) => !isMet(aim));
console.log(missed.length === 0 ? "\nEvery aim is met." : `\n${missed.length} aims are missed.`);
