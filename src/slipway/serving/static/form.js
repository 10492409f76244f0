// The form works without this file. With it the answer and the curves follow what is typed, and the API key stays
// for the tab. The service draws everything; this file only swaps what changed.
const WAIT = 300; // ms without typing
const PATIENCE = 10_000; // ms for an answer
const AGAIN = 2_000; // ms, from a service that was away the last time

const form = document.querySelector("form.ask");
const key = document.getElementById("api-key");
const kept = `slipway:api-key:${location.pathname}`;
const announced = document.querySelector("[role=status]");
const note = document.getElementById("note");
const root = document.documentElement; // data-away: the service did not answer; data-device: this device did
const edition = document.querySelector("meta[name=slipway-edition]").content;
const section = document.getElementById("device");
const device = section && import(section.dataset.script).then((module) => module.open(section)).catch(() => null);
const curves = () => [...document.querySelectorAll("[data-live=curve]")];

let version = 0; // of what is typed
let timer;
let stop = new AbortController();

/* The key: kept for the tab, never in an address */

function store(value) {
  try {
    if (value) {
      sessionStorage.setItem(kept, value);
    } else {
      sessionStorage.removeItem(kept);
    }
  } catch {} // a browser may forbid it
}

function stored() {
  try {
    return sessionStorage.getItem(kept) ?? "";
  } catch {
    return "";
  }
}

if (key?.getAttribute("aria-invalid")) {
  store("");
} else if (key) {
  key.value ||= stored();
}
key?.addEventListener("input", () => store(key.value));

/* The answer and the curves */

const number = (slot) => Number(slot.id.split("-")[1]);

function inView(slot) {
  const field = slot.closest(".field");
  const { top, bottom } = field.getBoundingClientRect();
  return !field.closest("details:not([open])") && bottom > 0 && top < innerHeight;
}

function later(wait = WAIT) {
  clearTimeout(timer);
  timer = setTimeout(update, wait);
}

async function update() {
  stop.abort();
  stop = new AbortController();
  const unread = [...form.elements].some((control) => control.validity?.badInput);
  if (unread || (key && !key.value)) {
    return;
  }
  const asked = version;
  const here = stop;
  const slots = curves().filter(inView).map(number);
  const body = new URLSearchParams(new FormData(form));
  body.set(form.dataset.curves, slots.join(" "));
  const late = setTimeout(() => here.abort(new Error("late")), "away" in root.dataset ? AGAIN : PATIENCE);
  try {
    const answer = await fetch(form.dataset.preview, { method: "POST", body, signal: here.signal, headers: { Accept: "text/html" } });
    if (answer.status >= 502 && answer.status <= 504) {
      throw new Error("away");
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    delete root.dataset.away;
    show(page, answer.status);
    compare(answer.headers.get("Slipway-Edition"));
    for (const slot of curves()) {
      if (slots.includes(number(slot))) {
        slot.dataset.version = asked;
      }
    }
  } catch (error) {
    if (error.name !== "AbortError") {
      root.dataset.away = "";
      await answerHere(here);
    }
  } finally {
    clearTimeout(late);
  }
}

function compare(served) {
  if (served && served !== edition) {
    const link = Object.assign(document.createElement("a"), { href: location.pathname, textContent: "Reload" });
    tell("The service has a newer version of this page, or another model. ");
    note.append(link);
  }
}

/* Without the service: this device answers, if it has the model */

async function answerHere(asked) {
  const known = await device;
  let found = null;
  try {
    found = await known?.answer(form, () => tell("Opening the model…"));
  } catch (error) {
    if (asked === stop) {
      tell(`Not updated: the service cannot be reached, and this device cannot answer: ${error.message}`);
    }
    return;
  }
  if (asked !== stop) {
    return; // something else was typed meanwhile
  }
  if (!found) {
    tell("Not updated: the service cannot be reached.");
    return;
  }
  for (const control of form.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
  }
  if (found.errors.length) {
    tell(`Not updated. ${found.errors.map(({ field, detail }) => (field ? `${field}: ${detail}` : detail)).join(" ")}`);
    for (const { field } of found.errors) {
      mark(form.elements.namedItem(field));
    }
    return;
  }
  root.dataset.device = "";
  document.querySelector(".summary")?.remove();
  document.getElementById("answer-place").replaceChildren(found.section);
  Object.assign(document.getElementById("brief"), { textContent: found.value, hidden: false });
  tell("");
  announced.textContent = `${found.value}, answered on this device`;
}

function mark(control) {
  (control instanceof RadioNodeList ? control[0].closest("fieldset") : control)?.setAttribute("aria-invalid", "true");
}

function restore() {
  // The worker brings back what was sent when the service could not be reached.
  const typed = document.getElementById("typed");
  for (const [name, value] of typed ? JSON.parse(typed.textContent) : []) {
    const control = form.elements.namedItem(name);
    if (control && name !== key?.name) {
      control.value = value;
    }
  }
  if (typed) {
    document.getElementById("answer-place").replaceChildren(); // of another row
    document.getElementById("brief").hidden = true;
    root.dataset.device = "";
    version += 1;
    later(0);
  }
}

restore();
addEventListener("online", () => later(0));

function tell(text) {
  note.textContent = text;
  note.hidden = !text;
  announced.textContent = text;
}

function show(page, status) {
  if (!page.querySelector("form.ask")) {
    tell(status === 429 ? "Not updated: too many requests. Wait a moment." : `Not updated: the service answered with status ${status}.`);
    return;
  }
  const value = page.querySelector("#answer .value");
  swap(page, value ? "[data-live]" : "[data-live=notes]");
  for (const control of form.querySelectorAll("[id]")) {
    match(control, page.getElementById(control.id));
  }
  if (value) {
    delete root.dataset.device;
    document.querySelector(".summary")?.remove();
    tell("");
    announced.textContent = [...page.querySelectorAll("#answer-title, #answer .value, #answer .between")].map((each) => each.textContent).join(" ");
  } else {
    tell(`Not updated. ${[...page.querySelectorAll(".summary li")].map((each) => each.textContent).join(" ")}`);
  }
}

function swap(page, which) {
  for (const old of document.querySelectorAll(which)) {
    const fresh = page.getElementById(old.id);
    if (fresh && (fresh.dataset.live !== "curve" || fresh.childElementCount)) {
      old.replaceWith(document.importNode(fresh, true));
    }
  }
}

function match(control, fresh) {
  for (const name of fresh ? ["aria-invalid", "aria-describedby"] : []) {
    if (fresh.hasAttribute(name)) {
      control.setAttribute(name, fresh.getAttribute(name));
    } else {
      control.removeAttribute(name);
    }
  }
}

function refresh() {
  const drawn = (slot) => slot.dataset.version === String(version) || (version === 0 && slot.childElementCount);
  if (document.getElementById("answer")?.matches(".answer") && !curves().filter(inView).every(drawn)) {
    later();
  }
}

form.addEventListener("input", () => {
  version += 1;
  later();
});
addEventListener("scroll", refresh, { passive: true });
form.addEventListener("toggle", refresh, true);
if (key?.value && !document.getElementById("answer")) {
  later(0);
}

/* A curve under the pointer: the answer there, and a click takes the value */

function point(event) {
  const drawing = event.target.closest?.(".curve svg");
  if (!drawing) {
    return null;
  }
  const { left, width } = drawing.getBoundingClientRect();
  const x = (100 * (event.clientX - left)) / width;
  const figure = drawing.closest(".curve");
  const points = JSON.parse(figure.dataset.points);
  const line = drawing.querySelector("polyline");
  const middles = line ? [...line.points].map((each) => each.x) : points.map((_, place) => (100 * (place + 0.5)) / points.length);
  const distances = middles.map((middle) => Math.abs(middle - x));
  const [value, shown] = points[distances.indexOf(Math.min(...distances))];
  return { figure, value, shown };
}

form.addEventListener("pointermove", (event) => {
  const found = point(event);
  const caption = found?.figure.querySelector("figcaption");
  if (caption) {
    caption.dataset.usual ??= caption.textContent;
    caption.textContent = `${found.value}: ${found.shown}`;
  }
});
form.addEventListener("pointerout", (event) => {
  const caption = event.target.closest?.(".curve")?.querySelector("figcaption[data-usual]");
  if (caption) {
    caption.textContent = caption.dataset.usual;
  }
});
form.addEventListener("click", (event) => {
  const found = point(event);
  const control = found && document.getElementById(found.figure.id.replace("-curve", ""));
  if (!control) {
    return;
  }
  const radio = [...control.querySelectorAll("[type=radio]")].find((each) => each.value === found.value);
  if (radio) {
    radio.checked = true;
  } else {
    control.value = found.value;
  }
  control.dispatchEvent(new Event("input", { bubbles: true }));
});
