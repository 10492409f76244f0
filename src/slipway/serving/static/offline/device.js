// The form's part on the device: downloads what answers a row, and shows the answer. Everything is kept in two caches of
// the browser, which the service worker reads: that of this edition, and that of the runtime, which outlives editions.
const MOST = 10; // labels shown
const PAINT = 50; // ms
const SPACE = "\u00a0";

export async function open(section) {
  const { base, module, binary, files, runtime, editionCache, runtimeCache } = section.dataset;
  if (!navigator.serviceWorker || !globalThis.caches) {
    return null;
  }
  const kept = new Map([[runtimeCache, JSON.parse(runtime)], [editionCache, JSON.parse(files)]]); // {address: integrity}
  let model = null;
  const device = {
    /* `opening` is called before what takes seconds, in which the page does not react */
    async answer(form, opening) {
      if (!(await complete(kept))) {
        return null;
      }
      if (!model) {
        opening();
        model = new Promise((painted) => setTimeout(painted, PAINT)).then(() => load(base, module, binary));
      }
      return shown(await (await model).answer(typed(form)), form);
    },
  };
  await offer(section, kept, () => { model = null; });
  return device;
}

async function load(base, module, binary) {
  const [ort, { openModel }] = await Promise.all([import(module), import("./predict.js")]);
  ort.env.wasm.numThreads = 1; // more of them need pages that are isolated from other origins
  ort.env.wasm.wasmPaths = { wasm: new URL(binary, location.href).href };
  return openModel({ base, ort });
}

/* The download */

async function offer(section, kept, changed) {
  const state = document.getElementById("device-state");
  const [download, remove] = ["device-download", "device-remove"].map((id) => document.getElementById(id));
  const [runtime] = kept.keys();
  const begun = () => caches.has(runtime);
  let busy = false;
  const tell = async (text = "") => {
    const [ready, some] = [await complete(kept), await begun()];
    const focused = [download, remove].includes(document.activeElement);
    [download.hidden, remove.hidden] = [ready, !some];
    if (focused) {
      (ready ? remove : download).focus(); // the one that was pressed may be hidden now
    }
    state.textContent = text || (ready
      ? "This device has the model: it answers when the service cannot be reached."
      : "Download the model once, and this form answers on this device when the service cannot be reached.");
  };
  const take = async () => {
    if (busy) {
      return;
    }
    busy = true;
    await fill(kept, (part) => { state.textContent = `Downloading: ${part}`; }).then(() => tell(), async (error) => {
      const isFull = error.name === "QuotaExceededError";
      await (isFull ? empty(kept) : null); // rather than to try it again at each visit
      await tell(isFull ? "This device has too little space for the model." : `The download failed: ${error.message}. Reload the page, and try again.`);
    });
    busy = false;
  };
  download.addEventListener("click", () => {
    navigator.storage?.persist?.().catch(() => {}); // a browser may ask, which somebody need not answer
    take();
  });
  remove.addEventListener("click", async () => {
    await empty(kept);
    changed();
    await tell();
  });
  await tell();
  section.hidden = false;
  if ((await begun()) && !(await complete(kept)) && !("away" in document.documentElement.dataset)) {
    take(); // of a new edition or runtime: who has downloaded the model wants it
  }
}

async function complete(kept) {
  for (const [name, files] of kept) {
    const found = (await caches.has(name)) ? await (await caches.open(name)).keys() : [];
    const paths = new Set(found.map(pathOf));
    if (!Object.keys(files).every((address) => paths.has(address))) {
      return false;
    }
  }
  return true;
}

const pathOf = ({ url }) => new URL(url).pathname;

async function fill(kept, tell) {
  const count = [...kept.values()].flatMap(Object.keys).length;
  let done = 0;
  for (const [name, files] of kept) {
    const cache = await caches.open(name);
    for (const [address, integrity] of Object.entries(files)) {
      tell(`${(done += 1)} of ${count}`);
      if (!(await cache.match(address))) {
        await cache.add(new Request(address, { cache: "reload", integrity }));
      }
    }
  }
  const [[name, files]] = kept;
  const runtimes = await caches.open(name);
  const old = (await runtimes.keys()).filter((request) => !(pathOf(request) in files)); // of another version
  await Promise.all(old.map((request) => runtimes.delete(request)));
}

async function empty(kept) {
  const [[runtime], [edition, files]] = kept;
  await caches.delete(runtime);
  const cache = await caches.open(edition);
  await Promise.all(Object.keys(files).map((address) => cache.delete(address)));
}

/* The row, as the service reads a form: slipway/serving/form.py */

function typed(form) {
  const controls = [...form.querySelectorAll("[id^=field-]:is(input, select)")];
  const given = controls.filter((control) => control.type !== "radio" || control.checked);
  return Object.fromEntries(given.map((control) => [control.name, valueOf(control)]).filter(([, value]) => value !== ""));
}

function valueOf(control) {
  const text = control.value;
  return control.type === "number" && text && Number.isFinite(Number(text)) ? Number(text) : text;
}

/* The answer: {value, section}, or {errors} */

function shown(answer, form) {
  if (answer.errors?.length) {
    return { errors: answer.errors };
  }
  const { prediction, probabilities, interval, warnings = [] } = answer;
  const value = typeof prediction === "number" ? number(prediction) : prediction;
  const target = form.dataset.target;
  const title = make("h2", { id: "answer-title", className: "eyebrow" }, make("bdi", {}, target));
  const head = make("div", { className: "head" }, title, make("p", { className: "value" }, make("data", { value: String(prediction) }, value)));
  if (interval) {
    head.append(make("p", { className: "between" }, `Between ${number(interval.low)} and ${number(interval.high)} in ${ratio(interval.level)} cases.`));
  }
  head.append(make("p", { className: "device-mark" }, "Answered on this device"));
  if (warnings.length) {
    const list = make("ul", { className: "warnings" }, ...warnings.map((each) => make("li", {}, said(each))));
    list.setAttribute("aria-label", "Warnings");
    head.append(list);
  }
  const section = make("section", { id: "answer", className: "answer", tabIndex: -1 }, head);
  section.setAttribute("aria-labelledby", "answer-title");
  if (probabilities) {
    section.append(bars(probabilities));
  }
  return { value, section, errors: [] };
}

const said = ({ field, detail }) => (field ? `${field}: ${detail}` : detail);

function bars(probabilities) {
  const ranked = Object.entries(probabilities).sort(([, one], [, other]) => other - one).slice(0, MOST);
  const others = Object.keys(probabilities).length - ranked.length;
  const rows = ranked.map(([label, probability]) => make("tr", {}, make("th", { scope: "row" }, make("bdi", {}, label)), make("td", { className: "amount" }, share(probability))));
  return make("div", {}, make("h3", {}, "How probable each label is"), make("table", { className: "bars" }, make("tbody", {}, ...rows)), ...(others ? [make("p", { className: "quiet" }, `and ${others} less probable label${others > 1 ? "s" : ""}`)] : []));
}

/* Numbers for reading: slipway/report/numbers.py */

function number(value) {
  const size = Math.abs(value);
  if (value && (size < 1e-4 || size >= 1e15)) {
    const [digits, power] = value.toExponential(3).split("e");
    const sign = power.startsWith("-") ? "−" : "+";
    return `${Number(digits)}e${sign}${power.slice(1).padStart(2, "0")}`.replace("-", "−");
  }
  const most = size ? Math.max(0, 3 - Math.floor(Math.log10(size))) : 0;
  const format = new Intl.NumberFormat("en-US", { maximumFractionDigits: most, roundingMode: "halfEven" });
  return format.format(value).replace("-", "−");
}

function share(value) {
  if (value > 0 && value < 0.0005) {
    return `<${SPACE}0.1${SPACE}%`;
  }
  return value > 0.9995 && value < 1 ? `>${SPACE}99.9${SPACE}%` : `${(100 * value).toFixed(1)}${SPACE}%`;
}

function ratio(level) {
  const [, digits = ""] = String(level).split(".");
  let [part, whole] = [Math.round(level * 10 ** digits.length), 10 ** digits.length];
  for (const prime of [2, 5]) {
    while (part % prime === 0 && whole % prime === 0) {
      [part, whole] = [part / prime, whole / prime];
    }
  }
  return `${part} of ${whole}`;
}

function make(tag, attributes, ...children) {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
}
