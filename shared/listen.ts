/** Why a server cannot have its address, and which variable to change. */
import { AppError } from "./errors.ts";

type Place = { host: string; port: number };

/** `program`: its variables begin with it. Node tells by a `code`, Deno by the error's name. */
export function cannotListen(program: "EDGE" | "POOL" | "DASHBOARD", { host, port }: Place, cause: unknown): AppError {
  const { code, name } = cause as { code?: unknown; name?: unknown };
  const is = (...words: string[]) => words.includes(String(code)) || words.includes(String(name));
  const at = `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
  if (is("EADDRINUSE", "AddrInUse"))
    return new AppError("CONFLICT", `Port ${port} on ${host} is taken; set ${program}_PORT to another, or to 0 for any`, { cause });
  if (is("EACCES", "PermissionDenied"))
    return new AppError("CONFLICT", `This user may not listen on ${at}; set ${program}_PORT to a port from 1024 on`, { cause });
  return new AppError("CONFLICT", `Cannot listen on ${at}; set ${program}_HOST to an address of this machine, as 127.0.0.1`, { cause });
}
