// The columns that a model computes from the fields of a row: slipway/table/expressions.py and derived.py.
import { PARTS, datePart } from "./dates.js";
import { MISSING } from "./row-rules.js";

const LARGEST = Math.fround(3.4028234663852886e38); // trees read numbers of single precision

const OPERATIONS = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
  negative: (value) => -value,
  log: Math.log,
  sqrt: Math.sqrt,
  abs: Math.abs,
  min: Math.min,
  max: Math.max,
};

function computed(tree, values) {
  if (typeof tree === "number") {
    return tree;
  }
  const [name, ...parts] = tree;
  if (name === "column") {
    return values.get(parts[0]);
  }
  const given = parts.map((part) => computed(part, values));
  return PARTS.has(name) ? datePart(name, given[0]) : OPERATIONS[name](...given);
}

/* The code of the range that a number is in */
function binned(value, edges) {
  return Number.isFinite(value) ? edges.filter((edge) => edge <= value).length : MISSING;
}

/* Adds the features of a member to the values of a row; each may read those before it */
export function withFeatures(values, features, formulas) {
  const all = new Map(values);
  for (const { name, expression } of features) {
    const { tree, levels } = formulas[expression];
    if (levels.length) {
      all.set(name, binned(computed(tree[1], all), tree.slice(2)));
    } else {
      const value = computed(tree, all);
      all.set(name, Math.abs(value) <= LARGEST ? value : NaN);
    }
  }
  return all;
}
