/** Logs as JSON lines on stderr: one object a line, with the fields of the logger that wrote it. */

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
type Fields = Record<string, unknown>;

export type Log = {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** A logger that adds these fields to each line, e.g. `{ run_id }`. */
  with(fields: Fields): Log;
};

/** Errors appear as name, code, message and stack; `details` and unknown properties stay out, they may hold anything. */
export function createLog(level: LogLevel, fields: Fields = {}, write: (line: string) => void = (line) => process.stderr.write(line)): Log {
  const floor = LOG_LEVELS.indexOf(level);
  const at =
    (name: LogLevel) =>
    (message: string, more: Fields = {}) => {
      if (LOG_LEVELS.indexOf(name) < floor) return;
      write(`${JSON.stringify({ at: new Date().toISOString(), level: name, message, ...fields, ...more }, plainErrors)}\n`);
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (more) => createLog(level, { ...fields, ...more }, write),
  };
}

const plainErrors = (_key: string, value: unknown): unknown =>
  value instanceof Error
    ? {
        name: value.name,
        ...("code" in value && typeof value.code === "string" ? { code: value.code } : {}),
        message: value.message,
        stack: value.stack,
        cause: value.cause,
      }
    : value;
