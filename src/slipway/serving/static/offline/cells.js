// What one cell says: slipway/table/cell.py.
import { isDate } from "./dates.js";
import { NeedsServer } from "./needs-server.js";

const BLANK = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]"; // as Python has them
const BLANKS = new RegExp(`^${BLANK}+|${BLANK}+$`, "g");
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const INFINITE = /^[+-]?inf(inity)?$/i;
const DIGITS = /\p{Nd}/gu; // of all scripts: Python reads numbers in any
const MARK = "\ufeff";

const strip = (text) => text.replace(BLANKS, "");

/* Without blanks around it, and without the pair of double quotes that is then around it */
function bare(given) {
  const text = strip(strip(given).replace(new RegExp(`^${MARK}`), ""));
  const inner = text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : '"';
  return inner.replaceAll('""', "").includes('"') ? text : strip(inner.replaceAll('""', '"'));
}

/* What a plain text says as a number, infinite beyond double precision; NaN where it says none */
function double(text) {
  if (NUMBER.test(text)) {
    return Number(text);
  }
  if (NUMBER.test(text.replace(DIGITS, "0"))) {
    throw new NeedsServer();
  }
  return NaN;
}

export function number(text) {
  const value = double(text.replaceAll("\u2212", "-"));
  return Number.isFinite(value) ? value : NaN;
}

/* Whether a text is infinite, or a number beyond double precision */
export function isBeyond(text) {
  return INFINITE.test(text) || Math.abs(double(text)) === Infinity;
}

/* The canonical text of a cell that is neither text nor missing */
export function typedText(cell) {
  if (typeof cell !== "number") {
    return String(cell);
  }
  if (Number.isInteger(cell)) {
    return BigInt(cell).toString();
  }
  if (!Number.isFinite(cell)) {
    return cell > 0 ? "inf" : "-inf";
  }
  const small = () => cell.toExponential().replace(/-(\d)$/, "-0$1");
  return Math.abs(cell) < 1e-4 ? small() : String(cell);
}

export class Reader {
  /* Of a field of schema.json and its rule */
  constructor(field, rule, missing) {
    this.format = field.format ?? "";
    this.clean = (field.levels ?? []).some((level) => level.startsWith('"')) ? strip : bare;
    this.markers = new Set([...missing, ...rule.markers]);
    this.numbers = new Set(rule.numbers);
  }

  /* The canonical text of a cell, null when it is missing; NeedsServer when the server alone reads it so */
  text(cell) {
    if (typeof cell !== "string") {
      const text = cell === null || cell === undefined || Number.isNaN(cell) ? null : typedText(cell);
      return text === null || this.isMarker(text) ? null : text;
    }
    const text = this.clean(cell);
    if (this.isMarker(text)) {
      return null;
    }
    if (this.format && !isDate(text)) {
      throw new NeedsServer();
    }
    return /^(true|false)$/i.test(text) ? text.toLowerCase() : text;
  }

  isMarker(text) {
    return this.markers.has(text.toLowerCase()) || (this.numbers.size > 0 && this.numbers.has(number(text)));
  }
}
