// From the values of a row to the row of the matrix that a model reads: slipway/model/encoding.py.
import { datePart } from "./dates.js";
import { withFeatures } from "./formulas.js";
import { MISSING, UNSEEN } from "./row-rules.js";

const NUMBERED = new Set(["lookup", "rank", "mean"]); // the kinds that have a number for each level

export class Encoding {
  /* Of schema.json, the encoding of a member in model.json, and the formulas of rules.json */
  constructor(schema, { outputs, features = [] }, formulas) {
    this.features = features;
    this.formulas = formulas;
    const levels = new Map(schema.fields.map((field) => [field.name, field.type === "category" ? (field.levels ?? []) : null]));
    for (const { name, expression } of features) {
      const known = formulas[expression]?.levels;
      if (!known) {
        throw new Error(`rules.json does not say how ${name} is computed`);
      }
      levels.set(name, known.length ? known : null);
    }
    this.columns = outputs.map((output) => column(output, levels.get(output.field)));
  }

  /* The numbers of one row, in double precision; NaN where a fill is null */
  encode(values) {
    const all = withFeatures(values, this.features, this.formulas);
    return this.columns.map((each) => each(all));
  }
}

/* (values of a row) → one number of the matrix */
function column({ field, fill = null, mean = 0, scale = 1, ...output }, levels) {
  const raw = levels ? ofCodes(output, levels) : ofNumbers(output.kind);
  return (values) => {
    const value = raw(values.get(field));
    return ((Number.isNaN(value) && fill !== null ? fill : value) - mean) / scale;
  };
}

function ofCodes({ kind, levels: own = [], unseen = false, values = [], other = null }, levels) {
  const numbered = NUMBERED.has(kind);
  const given = new Map(own.map((level, place) => [level, numbered ? values[place] : 1]));
  const rest = numbered ? (other ?? NaN) : 0;
  const numbers = levels.map((level) => given.get(level) ?? rest);
  const special = {
    [UNSEEN]: numbered ? rest : Number(unseen),
    [MISSING]: numbered ? NaN : Number(kind === "missing"),
  };
  return (code) => (code < 0 ? special[code] : numbers[code]);
}

function ofNumbers(kind) {
  if (kind === "value") {
    return (value) => value;
  }
  if (kind === "missing") {
    return (value) => Number(Number.isNaN(value));
  }
  return kind === "log" ? (value) => Math.sign(value) * Math.log1p(Math.abs(value)) : (value) => datePart(kind, value);
}
