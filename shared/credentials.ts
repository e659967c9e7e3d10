/** The part of a request that is secret, and where it may be typed. Parsed here, the values are out of reach of logs and texts. */
import { z } from "zod";
import { type Credentials, SecretValue } from "./secret-value.ts";

const MAX_CREDENTIALS = 20;
const NameSchema = z
  .string()
  .regex(/^[a-z_][a-z0-9_]*$/i, "Expected letters (a-z, A-Z), digits and underscores, not a digit first")
  .max(100);

export const CredentialsSchema = z
  .record(NameSchema, z.string().min(1).max(10_000))
  .refine((map) => Object.keys(map).length <= MAX_CREDENTIALS, `At most ${MAX_CREDENTIALS} credentials`)
  .transform(
    (map): Credentials => Object.fromEntries(Object.entries(map).map(([name, value]) => [name, new SecretValue(name, value)] as const)),
  )
  .describe("Name → value. Only ever typed into pages; shown nowhere");

/** `https://host` or `https://host:port`, as browsers write it. */
const OriginSchema = z
  .string()
  .max(300)
  .refine(
    isOrigin,
    "Expected an origin such as https://shop.example: http or https, a host, a port if it is not the usual one, nothing more",
  )
  .transform((text) => new URL(text).origin);

export const CredentialOriginsSchema = z
  .record(NameSchema, z.array(OriginSchema).min(1).max(20))
  .describe("Credential → the origins on which it may be typed; one that is not named here may be typed anywhere");
export type CredentialOrigins = z.infer<typeof CredentialOriginsSchema>;

/** Names in `credential_origins` that no credential has: a slip that would leave the meant one unbound. */
export const unknownBindings = (request: { credentials?: Credentials; credential_origins?: CredentialOrigins }): string[] =>
  Object.keys(request.credential_origins ?? {}).filter((name) => !Object.hasOwn(request.credentials ?? {}, name));

function isOrigin(text: string): boolean {
  if (!/^https?:\/\/[^/?#@\\\s]+\/?$/i.test(text) || !URL.canParse(text)) return false;
  return /^[^*]+$/.test(new URL(text).hostname);
}
