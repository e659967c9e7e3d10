/** Ports for the programs that a launcher starts. */
import { createServer } from "node:net";
import { cannotListen } from "../shared/listen.ts";

/** Whose variables begin with it. */
type Program = Parameters<typeof cannotListen>[0];

/** A port that nobody listens on: the wanted one, or with 0 any. @throws with a sentence that names the variable to change */
export async function takePort(host: string, port: number, program: Program): Promise<number> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, resolve);
    });
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  } catch (cause) {
    throw cannotListen(program, { host, port }, cause);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

/** The port that an environment variable names. */
export function readPort(environment: NodeJS.ProcessEnv, variable: string, fallback: number): number {
  const text = environment[variable] || String(fallback);
  const port = parsePort(text);
  if (port === null) throw new Error(`${variable} is "${text}"; expected a port, 0 to 65535`);
  return port;
}

/** null: it is none. */
export function parsePort(text: string): number | null {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65_535 ? port : null;
}
