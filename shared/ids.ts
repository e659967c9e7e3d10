/** Makes and parses ids. Whatever comes from outside and becomes a path or a key goes through here first. */
import { validate } from "@std/uuid";
import { AppError } from "./errors.ts";

/** A fresh run id: a random UUID. */
export const newRunId = (): string => crypto.randomUUID();

/** Is this the canonical spelling of a run id (a lower-case UUID)? */
export const isRunId = (text: string): boolean => validate(text) && text === text.toLowerCase();

/** Of whatever else has a random id; in any spelling. */
export const isUuid = (text: string): boolean => validate(text);

/** @throws NOT_FOUND: an id that cannot exist is answered like one that does not. */
export function parseRunId(text: string): string {
  const id = text.toLowerCase();
  if (!validate(id)) throw new AppError("NOT_FOUND", "No run has this id");
  return id;
}

export const PLAYBOOK_ID = /^[a-z0-9_-]{1,100}$/;
export const PARAMETER_NAME = /^[a-z_][a-z0-9_]*$/;

/** A browser id is `<node_id>.<n>`. */
export const formatBrowserId = (nodeId: string, n: number): string => `${nodeId}.${n}`;
