// Answers rows on the device as POST /predict does, once the golden predictions were replayed.
import { between, decided, same } from "./answers.js";
import { BundleFiles, parsed, rulesOf } from "./bundle-files.js";
import { Members } from "./members.js";
import { Rules } from "./row-rules.js";

/* {digest, answer}: answer(row) gives {prediction, probabilities, interval, warnings}, or {prediction: null, errors}

`base` is the URL of the folder with the bundle's files and rules.json, `ort` the namespace of onnxruntime-web. */
export async function openModel({ base, ort }) {
  const folder = new URL(base.endsWith("/") ? base : `${base}/`, globalThis.location?.href);
  const device = await rulesOf(folder);
  const files = await BundleFiles.open(folder, device.digest);
  const [schema, found, golden] = await Promise.all(["schema.json", "model.json", "golden.json"].map(async (name) => parsed(await files.read(name))));
  const model = found.members ? found : { ...found, members: [{ graph: "model.onnx", ...found }] }; // of format 1, which had one
  const names = new Set(model.members.map((member) => member.graph));
  const graphs = new Map(await Promise.all([...names].map(async (name) => [name, await files.read(name)])));
  const members = await Members.open(schema, model, device, graphs, ort);
  const rules = new Rules(schema, device);
  await replay(model, rules, members, golden);
  return { digest: device.digest, answer: (row) => answered(model, rules, members, row) };
}

async function replay(model, rules, members, golden) {
  const rows = golden.rows.map((row) => rules.values(row));
  const scores = await members.scores(rows);
  golden.predictions.forEach((expected, place) => {
    if (!same(model, expected, decided(model, scores[place]))) {
      throw new Error(`Golden prediction ${place + 1} differs from the recorded one on this device`);
    }
  });
}

async function answered(model, rules, members, row) {
  const { values, errors, warnings } = rules.read(row);
  if (errors.length) {
    return { prediction: null, errors };
  }
  const [scores] = await members.scores([values]);
  const answer = decided(model, scores);
  if (!answer) {
    return { prediction: null, errors: [{ field: null, reason: "not_finite", detail: rules.device.texts.not_finite }] };
  }
  const { interval } = rules.device;
  return { ...answer, ...(interval ? { interval: between(interval, answer.prediction) } : {}), warnings };
}
