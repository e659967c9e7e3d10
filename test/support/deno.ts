/** Where Deno's own executable is: behind the launcher of its package, a signal would reach the launcher only. */
import { createRequire } from "node:module";

/** null where Deno is not installed. */
export function findDeno(): string | null {
  try {
    const { runInstall } = createRequire(import.meta.url)("deno/install_api.cjs") as { runInstall(): string };
    return runInstall(); // a look-up once it is installed
  } catch {
    return null;
  }
}
