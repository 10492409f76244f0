// What the members of a model say: each graph by ONNX Runtime, its link in double precision, their weighted sum.
// slipway/model/runner.py and predictor.py.
import { Encoding } from "./encoding.js";

const INPUT = "rows";
const OUTPUT = "raw";
const ARRAYS = { float32: Float32Array, float64: Float64Array };

const LINKS = {
  identity: (raw) => raw,
  expm1: (raw) => raw.map(Math.expm1),
  sigmoid: (raw) => raw.map(sigmoid),
  softmax,
};

export function sigmoid(raw) {
  const small = Math.exp(-Math.abs(raw));
  return (raw >= 0 ? 1 : small) / (1 + small);
}

function softmax(raw) {
  const most = Math.max(...raw);
  const powers = raw.map((each) => Math.exp(each - most));
  const sum = powers.reduce((total, each) => total + each, 0);
  return powers.map((each) => each / sum);
}

export class Member {
  constructor(described, encoding, session, ort) {
    this.described = described;
    this.weight = described.weight ?? 1;
    this.encoding = encoding;
    this.session = session;
    this.ort = ort;
  }

  /* Of its part of model.json, and the bytes of its graph */
  static async open(described, encoding, graph, ort) {
    const session = await ort.InferenceSession.create(graph, { executionProviders: ["wasm"] });
    return new Member(described, encoding, session, ort);
  }

  /* Its scores of some rows: a list for each */
  async scores(rows) {
    const { input, base, link } = this.described;
    const matrix = rows.flatMap((values) => this.encoding.encode(values));
    const given = new this.ort.Tensor(input, ARRAYS[input].from(matrix), [rows.length, matrix.length / rows.length]);
    const answered = (await this.session.run({ [INPUT]: given }))[OUTPUT];
    const parts = Array.from(answered.data);
    const width = answered.dims[1];
    return rows.map((_, place) => {
      const own = parts.slice(place * width, (place + 1) * width);
      // trees answer every score in two parts of single precision, whose sum is the double
      return LINKS[link](base.map((each, score) => own[score] + (width > base.length ? own[base.length + score] : 0) + each));
    });
  }
}

export class Members {
  constructor(members) {
    this.members = members;
    this.turn = Promise.resolve();
  }

  static async open(schema, model, device, graphs, ort) {
    const members = [];
    for (const described of model.members) {
      const encoding = new Encoding(schema, described.encoding, device.formulas);
      members.push(await Member.open(described, encoding, graphs.get(described.graph), ort));
    }
    return new Members(members);
  }

  /* The scores of some rows; one call after the other, because a session takes one at a time */
  scores(rows) {
    const answer = this.turn.then(() => this.weighted(rows));
    this.turn = answer.catch(() => {});
    return answer;
  }

  async weighted(rows) {
    const [first, ...others] = this.members;
    if (!others.length) {
      return first.scores(rows);
    }
    let sum = (await first.scores(rows)).map((scores) => scores.map((each) => first.weight * each));
    for (const member of others) {
      const more = await member.scores(rows);
      sum = sum.map((scores, row) => scores.map((each, score) => each + member.weight * more[row][score]));
    }
    return sum;
  }
}
