/** Loaded into a node before it starts (`NODE_OPTIONS=--import …`): names resolve as the variable TEST_DNS says, `*` for those it does not list. */
import promises from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";
import { isIP } from "node:net";

const table = JSON.parse(process.env.TEST_DNS ?? "{}") as Record<string, string[]>;
const system = promises.lookup;

const lookup = async (host: string, options: object) => {
  if (isIP(host) !== 0 || host === "localhost") return await system(host, options);
  const answers = table[host] ?? table["*"] ?? [];
  if (answers.length === 0) throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND" });
  return answers.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
};
Object.assign(promises, { lookup });
syncBuiltinESMExports();
