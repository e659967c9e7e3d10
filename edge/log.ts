/** Logs as JSON lines on stderr, as the pool's. One object a line; secrets never come near it. */

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
type Fields = Record<string, unknown>;
export type Log = Record<Exclude<LogLevel, "silent">, (message: string, fields?: Fields) => void>;

export function createLog(level: LogLevel, write: (line: string) => void = (line) => console.error(line)): Log {
  const floor = LOG_LEVELS.indexOf(level);
  const at = (name: LogLevel) => {
    if (LOG_LEVELS.indexOf(name) < floor) return () => {};
    return (message: string, fields: Fields = {}) =>
      write(JSON.stringify({ at: new Date().toISOString(), level: name, message, ...fields }, plainErrors));
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Errors appear as name, code, message, stack and cause; other properties stay out, they may hold anything. */
const plainErrors = (_key: string, value: unknown): unknown =>
  value instanceof Error
    ? {
        name: value.name,
        ...("code" in value ? { code: String(value.code) } : {}),
        message: value.message,
        stack: value.stack,
        cause: value.cause,
      }
    : value;
