/** CSS selectors, cut into compounds: what the browser matches, and what Playwright adds (`:has-text()`, `:text()`, `:text-is()`, `:visible`). */
import { checkCompound } from "./css-grammar.ts";
import { scan, unquote } from "./scan.ts";

/** One compound selector: `css` is for the browser, the rest for us. */
export type Compound = { css: string; texts: { kind: "has" | "smallest" | "exact"; text: string }[]; visible: boolean };
/** Compounds from left to right; `combinators[i]` stands between compound i and i + 1. */
export type Complex = { compounds: Compound[]; combinators: Combinator[] };
export type Combinator = " " | ">" | "+" | "~";

const OWN_PSEUDOS = { "has-text": "has", text: "smallest", "text-is": "exact" } as const;
const OWN_PSEUDO = /^:(has-text|text-is|text|visible)(?![\w-])/i;
/** Other libraries' inventions that authors bring along; the browser would only say "not valid". */
const FOREIGN_PSEUDO = /^:(contains|eq|first|last|gt|lt|button|input|submit|nth-match|text-matches|-p-text|-p-aria)(?![\w-])/i;

/** Comma list → alternatives. @throws Error with what is wrong, as far as it shows without a browser. */
export function parseCss(commented: string): Complex[] {
  const source = commented.replace(/("(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|\\[\s\S])|\/\*[\s\S]*?(?:\*\/|$)/g, "$1");
  const alternatives: Complex[] = [];
  let complex: Complex = { compounds: [], combinators: [] };
  let compound: Compound | null = null;
  let pendingCombinator: Combinator | null = null;

  const open = (): Compound => {
    if (compound) return compound;
    if (complex.compounds.length > 0) complex.combinators.push(pendingCombinator ?? " ");
    else if (pendingCombinator && pendingCombinator !== " ") throw new Error(`it begins with "${pendingCombinator}"`);
    pendingCombinator = null;
    compound = { css: "", texts: [], visible: false };
    complex.compounds.push(compound);
    return compound;
  };
  const endAlternative = () => {
    if (pendingCombinator && pendingCombinator !== " ") throw new Error(`nothing stands after "${pendingCombinator}"`);
    if (complex.compounds.length === 0) throw new Error("a part of it is empty");
    alternatives.push(complex);
    complex = { compounds: [], combinators: [] };
    compound = null;
    pendingCombinator = null;
  };

  for (let i = 0; i < source.length; ) {
    const char = source[i] as string;
    if (char === ",") {
      endAlternative();
      i += 1;
    } else if (/[ \t\n\r\f]/.test(char)) {
      compound = null;
      pendingCombinator ??= " ";
      i += 1;
    } else if (char === ">" || char === "+" || char === "~") {
      if (pendingCombinator && pendingCombinator !== " ") {
        if (char === ">" && source[i - 1] === ">")
          throw new Error('">>" is not supported here: chain with CSS alone, every part of it enters open shadow roots');
        throw new Error(`"${pendingCombinator}" and "${char}" stand together`);
      }
      compound = null;
      pendingCombinator = char;
      i += 1;
    } else if (OWN_PSEUDO.test(source.slice(i))) {
      const name = (OWN_PSEUDO.exec(source.slice(i)) as RegExpExecArray)[1] as string;
      i += readOwnPseudo(open(), name.toLowerCase(), source.slice(i));
    } else {
      const foreign = FOREIGN_PSEUDO.exec(source.slice(i))?.[1];
      if (foreign) throw new Error(`":${foreign}" is not CSS; for text use :has-text("…")`);
      const end = endOfPiece(source, i);
      const piece = source.slice(i, end);
      if (char === "(") refuseOwnPseudosWithin(piece);
      const current = open();
      if (isBehindBracket(current.css) && /^[a-z*]/i.test(piece)) throw new Error(`"${piece}" stands right behind "${current.css}"`);
      current.css += piece;
      i = end;
    }
  }
  endAlternative();
  for (const { compounds } of alternatives) for (const { css } of compounds) checkCompound(css);
  return alternatives;
}

/** Does the browser's own engine do, within one tree? */
export const isPlain = (list: Complex[]): boolean =>
  list.every(({ compounds }) => compounds.every(({ texts, visible }) => texts.length === 0 && !visible));

/** `\]` belongs to a name, as in `.w-\[10px\]x`. */
const isBehindBracket = (css: string): boolean => /[\])]$/.test(css.replace(/\\[\s\S]/g, ""));

/** From `start`, the end of one piece that cannot hold a combinator: an escape, a string, a bracket with all it holds, or a character. */
function endOfPiece(source: string, start: number): number {
  const char = source[start];
  if (char === "\\") {
    const escaped = /^\\([0-9a-f]{1,6}\s?|[^\n])/i.exec(source.slice(start));
    if (!escaped) throw new Error("it ends with a backslash");
    return start + escaped[0].length;
  }
  if (char === "(" || char === "[") return scan(source, start);
  if (char === '"' || char === "'") throw new Error("a quote stands outside brackets");
  if (char === ")" || char === "]" || char === "{" || char === "}") throw new Error(`"${char}" is out of place`);
  return start + ((source.codePointAt(start) as number) > 0xffff ? 2 : 1);
}

function readOwnPseudo(compound: Compound, name: string, rest: string): number {
  const start = name.length + 1;
  if (name === "visible") {
    compound.visible = true;
    return start;
  }
  if (rest[start] !== "(") throw new Error(`:${name} needs a text in brackets`);
  const end = scan(rest, start);
  const text = unquote(rest.slice(start + 1, end - 1).trim());
  if (text === "") throw new Error(`:${name}() needs a text`);
  compound.texts.push({ kind: OWN_PSEUDOS[name as keyof typeof OWN_PSEUDOS], text });
  return end;
}

function refuseOwnPseudosWithin(piece: string): void {
  const bare = piece.replace(/"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/g, '""');
  const own = /:(has-text|text-is|text|visible)(?![\w-])/i.exec(bare)?.[1];
  if (own) throw new Error(`:${own} cannot stand inside another pseudo-class`);
}
