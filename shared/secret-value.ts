/** A credential from the request's border on: whatever prints, joins or serialises it gets its mark, and only `reveal` gives the value. */
export class SecretValue {
  readonly name: string;
  /** Where it may be typed; null: anywhere. */
  readonly origins: readonly string[] | null;
  readonly #value: string;

  constructor(name: string, value: string, origins: readonly string[] | null = null) {
    this.name = name;
    this.origins = origins;
    this.#value = value;
  }

  /** For three places alone: where it is typed, where it is sealed, and where its forms are worked out to be found in texts. */
  reveal(): string {
    return this.#value;
  }

  get isBlank(): boolean {
    return this.#value.trim() === "";
  }

  boundTo(origins: readonly string[] | null): SecretValue {
    return new SecretValue(this.name, this.#value, origins);
  }

  mayBeTypedOn(origin: string): boolean {
    return this.origins === null || this.origins.includes(origin);
  }

  /** One text of several parts, secret as a whole. It may be typed where each of its credentials may. */
  static join(parts: readonly (string | SecretValue)[]): SecretValue {
    const secrets = parts.filter((part) => typeof part !== "string");
    const bound = secrets.flatMap(({ origins }) => (origins === null ? [] : [origins]));
    const origins = bound.length === 0 ? null : (bound[0] ?? []).filter((origin) => bound.every((each) => each.includes(origin)));
    const value = parts.map((part) => (typeof part === "string" ? part : part.reveal())).join("");
    return new SecretValue(secrets.map(({ name }) => name).join(" "), value, origins);
  }

  toString(): string {
    return `[secret:${this.name}]`;
  }
  toJSON(): string {
    return this.toString();
  }
  [Symbol.toPrimitive](): string {
    return this.toString();
  }
  /** What `console.log` and `util.inspect` of Node print. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/** By their names. */
export type Credentials = Readonly<Record<string, SecretValue>>;
