// A table for the form below: dropped on the page or chosen, sent with the key, its answer shown and offered.
const form = document.querySelector("form.upload");
const input = form.querySelector("[type=file]");
const result = document.getElementById("upload-result");
const most = Number(form.dataset.mostBytes);
const SHOWN = 5;

let request;

form.closest("section").hidden = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send(input.files[0]);
});

/* Dropped anywhere on the page */

const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragover", (event) => {
  if (carriesFile(event)) {
    event.preventDefault();
    document.body.classList.add("dropping");
  }
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) {
    document.body.classList.remove("dropping");
  }
});
addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  if (carriesFile(event)) {
    event.preventDefault();
    form.closest("section").scrollIntoView({ block: "nearest" });
    send(event.dataTransfer.files[0]);
  }
});

/* Sent: not with fetch, which does not tell how far an upload is */

function send(file) {
  request?.abort();
  if (!file) {
    return;
  }
  if (file.size > most) {
    fail([`${file.name} has ${size(file.size)}; the limit is ${size(most)}. Split it, or use slipway predict.`]);
    return;
  }
  const bar = make("progress", { max: file.size, value: 0, ariaLabel: "Sent" });
  const says = make("p", {}, `Sending ${file.name} …`);
  result.replaceChildren(says, bar);
  request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.responseType = "blob";
  request.setRequestHeader("Content-Type", "text/csv");
  const key = document.getElementById("api-key");
  if (key) {
    request.setRequestHeader("X-API-Key", key.value);
  }
  request.upload.addEventListener("progress", (event) => { bar.value = event.loaded; });
  request.upload.addEventListener("load", () => {
    says.textContent = `Predicting ${file.name} …`;
    bar.removeAttribute("value");
  });
  request.addEventListener("error", () => fail(["The connection ended before the whole answer had arrived."]));
  request.addEventListener("load", (event) => answered(file, event.target));
  request.send(file);
}

async function answered(file, { status, response }) {
  if (status === 200) {
    show(file, response, await read(response));
    return;
  }
  const problem = await response.text().then(JSON.parse).catch(() => ({ detail: `The service answered with status ${status}.` }));
  const errors = (problem.errors ?? []).map((each) => (each.field === null ? each.detail : `${each.field}: ${each.detail}`));
  const more = (problem.errors_total ?? 0) - errors.length;
  fail([problem.detail, ...errors, ...(more > 0 ? [`and ${more} more`] : [])]);
  if (status === 401) {
    document.getElementById("api-key")?.focus();
  }
}

/* Read: the service writes the answer, so its quotes are in order; the column `error` is the last one */

const HEADER = /([,;\t|])error_*(\r\n|\n|\r(?!\n|$))/;

async function read(blob) {
  const pieces = blob.stream().pipeThrough(new TextDecoderStream()).getReader();
  const found = { names: [], rows: [], refused: [], count: 0, wrong: 0 };
  let [rest, separator, end] = ["", "", ""];
  const take = (record) => {
    const cells = () => split(record, separator);
    found.count += 1;
    if (found.rows.length < SHOWN) {
      found.rows.push(cells());
    }
    if (!record.endsWith(separator)) {
      found.wrong += 1;
      if (found.refused.length < SHOWN) {
        found.refused.push([found.count, cells().at(-1)]);
      }
    }
  };
  for (let piece = await pieces.read(); !piece.done; piece = await pieces.read()) {
    rest += piece.value;
    if (!separator) {
      const header = HEADER.exec(rest);
      if (!header) {
        continue;
      }
      [, separator, end] = header;
      const names = rest.slice(0, header.index + header[0].length - end.length);
      found.names = split(names.replace(/^\ufeff?(sep=.(\r\n|\n|\r))?/, ""), separator);
      rest = rest.slice(header.index + header[0].length);
    }
    const lines = rest.split(end);
    rest = lines.pop();
    let record = "";
    for (const line of lines) {
      record += (record && end) + line;
      if ((record.split('"').length - 1) % 2 === 0) { // else a line end within quotes
        take(record);
        record = "";
      }
    }
    rest = record ? record + end + rest : rest;
  }
  return found;
}

function split(record, separator) {
  const cells = [""];
  let quoted = false;
  for (const letter of record) {
    if (letter === '"') {
      quoted = !quoted;
    }
    if (letter === separator && !quoted) {
      cells.push("");
    } else {
      cells[cells.length - 1] += letter;
    }
  }
  return cells.map((cell) => (/^".*"$/s.test(cell) ? cell.slice(1, -1).replaceAll('""', '"') : cell));
}

/* Shown */

function show(file, blob, { names, rows, refused, count, wrong }) {
  const good = (count - wrong).toLocaleString("en-US");
  const says = `${good} of ${count.toLocaleString("en-US")} ${count === 1 ? "row" : "rows"} predicted${wrong ? `, ${wrong.toLocaleString("en-US")} refused` : ""}.`;
  const link = make("a", { href: URL.createObjectURL(blob), download: `${file.name.replace(/\.csv$/i, "")}-predictions.csv`, className: "button" }, "Download the predictions");
  const added = names.findLastIndex((name) => /^prediction_*$/.test(name));
  const places = names.map((_, place) => place).filter((place) => place < 3 || place >= added);
  const head = make("tr", {}, ...places.map((place) => make("th", { scope: "col" }, names[place])));
  const lines = rows.map((row) => make("tr", {}, ...places.map((place) => make("td", {}, row[place] ?? ""))));
  const table = make("table", { className: "table" }, make("thead", {}, head), make("tbody", {}, ...lines));
  const scroll = make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "First rows of the answer" }, table);
  const reasons = make("ul", {}, ...refused.map(([row, reason]) => make("li", {}, `Row ${row.toLocaleString("en-US")}: ${reason}`)));
  result.replaceChildren(make("p", {}, make("strong", {}, says)), ...(wrong ? [reasons] : []), make("p", {}, link), scroll);
}

function fail(lines) {
  const [first, ...others] = lines;
  const list = make("ul", {}, ...others.map((line) => make("li", {}, line)));
  result.replaceChildren(make("div", { className: "summary" }, make("p", {}, first), ...(others.length ? [list] : [])));
}

function make(tag, attributes, ...children) {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
}

function size(bytes) {
  const [unit, name] = bytes < 2 ** 20 ? [2 ** 10, "KiB"] : [2 ** 20, "MiB"];
  return `${(bytes / unit).toLocaleString("en-US", { maximumFractionDigits: 1 })} ${name}`;
}
