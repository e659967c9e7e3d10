/** The node's log, which shows no secret: neither the node's own, nor one of the runs that it has in hand. */
import { SecretValue } from "../shared/secret-value.ts";
import type { PoolConfig } from "./config.ts";
import { SecretsInHand } from "./secrets/in-hand.ts";
import { Redactor } from "./secrets/redactor.ts";
import { createLog, type Log } from "./telemetry/log.ts";

export type NodeLog = { log: Log; secretsInHand: SecretsInHand };

export function openNodeLog(config: PoolConfig, write = (line: string): void => void process.stderr.write(line)): NodeLog {
  const secretsInHand = new SecretsInHand();
  secretsInHand.hold(new Redactor(ownSecrets(config)));
  return { secretsInHand, log: createLog(config.logLevel, {}, (line) => write(secretsInHand.redact(line))) };
}

function ownSecrets({ token, secretsKey, databaseUrl, chromeEndpoints, tracing }: PoolConfig): SecretValue[] {
  const passwords = [databaseUrl, ...chromeEndpoints].flatMap((url) => {
    const { password } = url !== null && URL.canParse(url) ? new URL(url) : { password: "" };
    return password === "" ? [] : [password, decoded(password)];
  });
  const ofCollector = (tracing?.headers ?? "").split(",").flatMap((pair) => {
    const value = pair.slice(pair.indexOf("=") + 1).trim();
    return value === "" ? [] : [value, decoded(value)];
  });
  const { LLM_API_KEY, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
  return [token, secretsKey, LLM_API_KEY, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, ...passwords, ...ofCollector].flatMap((value) =>
    value ? [new SecretValue("node", value)] : [],
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % is part of it
  }
}
