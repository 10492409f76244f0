// What a row must be, and how one that is answered is unlike training: slipway/table/rules.py, whose texts the rules carry.
import { Reader, isBeyond, number, typedText } from "./cells.js";
import { days } from "./dates.js";
import { NeedsServer } from "./needs-server.js";

export const MISSING = -1;
export const UNSEEN = -2;
const LISTED = 100;
const LONGEST_NAME = 100;
const SURROGATE = /[\ud800-\udfff]/u; // half of a pair
const SURROGATES = new RegExp(SURROGATE, "gu");
const KINDS = { boolean: "true or false", number: "a number", string: "text", object: "an object" };

const isNumber = (field) => field.type === "number" || field.type === "integer";

class Rule {
  constructor(field, rule, missing) {
    this.field = field;
    this.rule = rule;
    this.reader = new Reader(field, rule, missing);
    this.codes = new Map((field.levels ?? []).map((level, code) => [level, code]));
    this.least = field.minimum ?? -Infinity;
    this.most = field.maximum ?? Infinity;
  }

  /* {value, fault}: a number, the days of a date or the code of a level, and what is wrong with the cell */
  read(cell) {
    if (typeof cell === "object" && cell !== null) {
      return { fault: this.ofAnotherType(cell) };
    }
    try {
      const text = this.reader.text(cell);
      const value = this.value(text);
      return { value, fault: this.fault(value, text, cell) };
    } catch (error) {
      if (error instanceof NeedsServer) {
        return { fault: { reason: "server", detail: `${error.message}; expected ${this.rule.expected}` } };
      }
      throw error;
    }
  }

  value(text) {
    if (this.field.type === "category") {
      return text === null ? MISSING : (this.codes.get(text) ?? UNSEEN);
    }
    if (text === null) {
      return NaN;
    }
    return this.field.type === "date" ? days(text) : number(text);
  }

  fault(value, text, cell) {
    const { expected, closed } = this.rule;
    if (text === null) {
      return this.field.missing > 0 ? undefined : { reason: "missing", detail: `is missing; expected ${expected}` };
    }
    if (this.field.type === "category") {
      if (value === UNSEEN && SURROGATE.test(text)) {
        return { reason: "type", detail: `contains a lone surrogate; expected ${expected}` };
      }
      return value === UNSEEN && closed ? { reason: "unseen_level", detail: `expected ${expected}` } : undefined;
    }
    if (!Number.isNaN(value)) {
      return isNumber(this.field) ? this.faultOfNumber(value) : undefined;
    }
    if (isNumber(this.field) && isBeyond(text)) {
      return { reason: "not_finite", detail: `is not a finite number; expected ${expected}` };
    }
    return this.ofAnotherType(cell);
  }

  faultOfNumber(value) {
    const { low, high, expected, outside } = this.rule;
    if (this.field.type === "integer" && !Number.isInteger(value)) {
      return { reason: "type", detail: `has a fraction; expected ${expected}` };
    }
    return value < (low ?? -Infinity) || value > (high ?? Infinity) ? { reason: "out_of_range", detail: outside } : undefined;
  }

  ofAnotherType(cell) {
    const kind = Array.isArray(cell) ? "a list" : KINDS[typeof cell];
    const isDate = this.field.type === "date" && typeof cell === "string";
    return { reason: "type", detail: `${isDate ? "" : `is ${kind}; `}expected ${this.rule.expected}` };
  }

  /* How a value that is answered is unlike training */
  unlike(value, texts) {
    if (this.field.type === "category") {
      return value === UNSEEN ? { reason: "unseen_level", detail: texts.unseen_level } : undefined;
    }
    const beyond = this.rule.unlike && (value < this.least || value > this.most);
    return beyond ? { reason: "out_of_range", detail: this.rule.unlike } : undefined;
  }
}

export class Rules {
  /* Of schema.json and rules.json */
  constructor(schema, device) {
    this.device = device;
    const names = schema.fields.map((field) => field.name);
    if (JSON.stringify(names) !== JSON.stringify(device.fields.map((rule) => rule.name))) {
      throw new Error("rules.json belongs to another bundle");
    }
    this.rules = schema.fields.map((field, place) => new Rule(field, device.fields[place], device.missing));
    this.names = new Set(names);
  }

  /* The values of a row as golden.json has it, whose texts are canonical */
  values(row) {
    const text = (cell) => (cell === null || typeof cell === "string" ? cell : typedText(cell));
    return new Map(this.rules.map((rule) => [rule.field.name, rule.value(text(row[rule.field.name] ?? null))]));
  }

  /* {values, errors, warnings} of a row, an object by the names of the fields */
  read(row) {
    const values = new Map();
    const errors = [];
    const warnings = this.others(row, "known").map((field) => ({ field, reason: "ignored", detail: this.device.texts.ignored }));
    for (const rule of this.rules) {
      const field = rule.field.name;
      const { value, fault } = rule.read(Object.hasOwn(row, field) ? row[field] : null);
      values.set(field, value);
      const unlike = fault ? undefined : rule.unlike(value, this.device.texts);
      errors.push(...(fault ? [{ field, ...fault }] : []));
      warnings.push(...(unlike ? [{ field, ...unlike }] : []));
    }
    errors.push(...this.unknown(row), ...this.wrongIds(row));
    return { values, errors: errors.slice(0, LISTED), warnings: warnings.slice(0, LISTED) };
  }

  others(row, kind) {
    return this.device[kind].filter((name) => Object.hasOwn(row, name));
  }

  unknown(row) {
    const passed = new Set([...this.names, ...this.device.known, ...this.device.ids]);
    const names = Object.keys(row).filter((name) => !passed.has(name));
    return names.map((name) => ({ field: shown(name), reason: "unknown_field", detail: "there is no such field" }));
  }

  wrongIds(row) {
    const wrong = this.others(row, "ids").filter((name) => row[name] !== null && !isId(row[name]));
    return wrong.map((field) => ({ field, reason: "type", detail: "expected text or a number" }));
  }
}

function isId(value) {
  return typeof value === "string" ? !SURROGATE.test(value) : typeof value === "number" || typeof value === "boolean";
}

/* A name as an answer may repeat it */
function shown(name) {
  const signs = [...name];
  return (signs.length > LONGEST_NAME ? `${signs.slice(0, LONGEST_NAME).join("")}…` : name).replace(SURROGATES, "?");
}
