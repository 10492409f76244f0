// The form works without this file. With it the answer and the curves follow what is typed, and the API key stays
// for the tab. The service draws everything; this file only swaps what changed.
const WAIT = 300; // ms without typing

const form = document.querySelector("form.ask");
const key = document.getElementById("api-key");
const kept = `slipway:api-key:${location.pathname}`;
const announced = document.querySelector("[role=status]");
const note = document.getElementById("note");
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
  const slots = curves().filter(inView).map(number);
  const body = new URLSearchParams(new FormData(form));
  body.set(form.dataset.curves, slots.join(" "));
  try {
    const answer = await fetch(form.dataset.preview, { method: "POST", body, signal: stop.signal, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    show(page, answer.status);
    for (const slot of curves()) {
      if (slots.includes(number(slot))) {
        slot.dataset.version = asked;
      }
    }
  } catch (error) {
    if (error.name !== "AbortError") {
      tell("Not updated: the service cannot be reached.");
    }
  }
}

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
