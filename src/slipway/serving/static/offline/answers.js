// From scores to answers as POST /predict gives them, and whether two of them agree: slipway/model/predictor.py.
import { sigmoid } from "./members.js";

const RELATIVE = 1e-5;
const ABSOLUTE = 1e-6;

/* {prediction, probabilities} of the scores of one row; undefined when there is no finite answer */
export function decided(model, scores) {
  if (model.task === "regression") {
    return finite(scores) ? { prediction: scores[0] } : undefined;
  }
  const shares = model.task === "binary" ? ofTwo(calibrated(scores[0], model.calibration)) : scores;
  if (!finite(shares)) {
    return undefined;
  }
  const chosen = model.task === "binary" ? Number(shares[1] >= model.threshold) : shares.indexOf(Math.max(...shares));
  const probabilities = Object.fromEntries(model.classes.map((name, place) => [name, shares[place]]));
  return { prediction: model.classes[chosen], probabilities };
}

const finite = (numbers) => numbers.every(Number.isFinite);
const ofTwo = (share) => [1 - share, share];

function calibrated(share, calibration) {
  if (!calibration) {
    return share;
  }
  return sigmoid(calibration.slope * (Math.log(share) - Math.log1p(-share)) + calibration.shift);
}

/* Whether an answer is the recorded one, to the tolerance of parity */
export function same(model, expected, answer) {
  if (!answer || model.task === "regression") {
    return Boolean(answer) && close(expected.prediction, answer.prediction);
  }
  const positive = answer.probabilities[model.classes[1]];
  const near = model.task === "binary" && Math.abs(positive - model.threshold) <= ABSOLUTE;
  const agree = model.classes.every((name) => close(expected.probabilities[name], answer.probabilities[name]));
  return agree && (near || expected.prediction === answer.prediction);
}

function close(expected, answer) {
  return Math.abs(answer - expected) <= Math.max(ABSOLUTE, RELATIVE * Math.abs(expected));
}

/* Where the truth lies in a share `level` of all cases: slipway/model/intervals.py */
export function between({ level, edges, below, above, least }, answer) {
  const bin = edges.filter((edge) => edge <= answer).length;
  const bounded = (end) => Math.max(end, least ?? -Infinity);
  const [low, high] = [answer - below[bin], answer + above[bin]].map(bounded);
  return { level, low: Math.min(low, answer), high: Math.max(high, answer) };
}
