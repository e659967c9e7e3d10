/** What an author's script is, told by parsing it: an expression, or statements with a `return`. Nothing is run here. */
import { Script } from "node:vm";

/**
 * An expression first: an object literal is one, and so is a function. What does not parse as one may be statements with a `return`. Decided by
 * parsing alone: an error at run time, a SyntaxError of bad JSON for one, must not make the page do it again. What neither parses here may be of a
 * newer language than ours, or it is wrong: Chrome tells.
 */
export function bodyOf(expression: string): string {
  const asExpression = expressionBody(expression);
  return errorOf(asExpression) === null || errorOf(expression) !== null ? asExpression : expression;
}

/**
 * Refuses what no newer language could mean: what ends in the middle, a bracket or a semicolon that comes too early, a string that is not closed.
 * @throws Error with the parser's words
 */
export function checkScript(expression: string): void {
  const why = errorOf(expressionBody(expression)) && errorOf(expression) && beyondDoubt(expression, (text) => text);
  const looksLikeObject = /^(?:\s|\/\*(?:(?!\*\/)[\s\S])*\*\/|\/\/.*[\n\r])*\{/.test(expression); // as statements that would be a block, and another error
  if (why && (!looksLikeObject || beyondDoubt(expression, expressionBody) !== null)) throw new Error(why);
}

function beyondDoubt(expression: string, bodyFor: (text: string) => string): string | null {
  const error = errorOf(bodyFor(expression));
  if (error === null) return null;
  const wrong = placeOf(error);
  // An error inside stays, whatever follows. One that does not was found at the end: everything before it was understood.
  const isInside =
    lineOf(error) <= expression.split(/\r\n|[\n\r\u2028\u2029]/).length && placeOf(errorOf(bodyFor(`${expression}\n)`))) === wrong;
  if (!isInside) return "it ends in the middle, or closes a bracket too many";
  const isKnown = /^(?:Unexpected token '[)\]};]'|Invalid regular expression: missing \/)/.test(error.message);
  const isNoToken = error.message === "Invalid or unexpected token" && !/[@#]/.test(expression); // new syntax may take these two
  return isKnown || isNoToken ? wrong : null;
}

const lineOf = (error: Error): number => Number(/^evaluate:(\d+)/.exec(error.stack ?? "")?.[1] ?? 1);
const placeOf = (error: Error | null): string | null => error && `${error.message} (line ${lineOf(error)} of the script)`;

const expressionBody = (expression: string): string =>
  `const result = (${expression}\n); return typeof result === "function" ? result(params) : result;`;

function errorOf(body: string): Error | null {
  try {
    new Script(`(async function (params) { ${body}\n})`, { filename: "evaluate" }); // compiled, never run
    return null;
  } catch (error) {
    return error as Error;
  }
}
