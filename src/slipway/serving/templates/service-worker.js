// Opens the pages without the server. Pages come from the network as long as it answers; what is kept is of one edition
// alone, and no answer to a row is ever kept.
"use strict";

const HEADER = {{ header|tojson }};
const EDITION = {{ edition|tojson }};
const NAMES = {{ names|tojson }}; // of the caches
const SCOPE = {{ scope|tojson }};
const PAGES = {{ pages|tojson }};
const OTHERS = {{ others|tojson }}; // without the server they lead to the form
const ASSETS = {{ assets|tojson }}; // and the integrity of each
const SECRET = {{ secret|tojson }}; // a field of the form that is not written down
const WAIT = 10_000; // ms for an answer
const OURS = `slipway:${SCOPE}:`;

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));

async function install() {
  const form = await fetch(SCOPE, { cache: "reload" });
  if (!form.ok || form.headers.get(HEADER) !== EDITION) {
    throw new Error("another edition answers already"); // the browser tries again at the next visit
  }
  const cache = await caches.open(NAMES.edition);
  const requests = Object.entries(ASSETS).map(([address, integrity]) => new Request(address, { cache: "reload", integrity }));
  await cache.addAll(requests);
  await cache.put(SCOPE, form);
  await self.skipWaiting();
}

async function activate() {
  await forget(Object.values(NAMES));
  await self.clients.claim();
}

async function forget(kept) {
  const names = (await caches.keys()).filter((name) => name.startsWith(OURS) && !kept.includes(name));
  await Promise.all(names.map((name) => caches.delete(name)));
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname, search } = new URL(request.url);
  if (origin !== self.location.origin || !pathname.startsWith(SCOPE)) {
    return;
  }
  const isPage = request.mode === "navigate" && [...PAGES, ...OTHERS].includes(pathname); // the origin may have other programs
  if (isPage && request.method === "GET") {
    event.respondWith(page(event, pathname));
  } else if (isPage && request.method === "POST" && pathname === SCOPE) {
    event.respondWith(asked(request));
  } else if (request.method === "GET" && (pathname + search in ASSETS || pathname.startsWith(`${SCOPE}offline/`))) {
    event.respondWith(kept(request));
  }
});

/* From the network, or null when it does not answer in time */

function heard(request) {
  const late = new Promise((_, reject) => setTimeout(reject, WAIT));
  return Promise.race([fetch(request), late]).catch(() => null);
}

/* Pages: from the network, or else as they were last seen. A fault of what is kept must not break one that came */

async function page(event, pathname) {
  const answer = await heard(event.request);
  if (!answer || isAway(answer)) {
    return (await seen(pathname)) ?? answer ?? Response.error();
  }
  if (answer.ok && PAGES.includes(pathname)) {
    event.waitUntil(take(answer.clone(), pathname).catch(() => {}));
  }
  return answer;
}

async function take(answer, pathname) {
  const edition = answer.headers.get(HEADER);
  if (edition === EDITION) {
    await (await caches.open(NAMES.edition)).put(pathname, answer);
    const { installing, waiting } = self.registration; // of another edition, which has a cache already
    if (!installing && !waiting) {
      await forget(Object.values(NAMES));
    }
  } else if (edition === null && (await isGone())) {
    await forget([]);
    await self.registration.unregister();
  }
}

/* A Slipway from before there was a worker, or another program; but not the login page of a proxy */

async function isGone() {
  const { status } = await fetch(self.location.href, { cache: "no-store" });
  return status === 404 || status === 410;
}

const isAway = (answer) => answer.status >= 502 && answer.status <= 504; // a proxy, or the service itself, says so

function seen(pathname, typed = null) {
  return read(pathname, typed).catch(() => null); // the storage may be broken
}

async function read(pathname, typed) {
  const cache = await caches.open(NAMES.edition);
  const found = await cache.match(pathname);
  if (!found) {
    return (await cache.match(SCOPE)) ? Response.redirect(SCOPE) : null;
  }
  let text = (await found.text()).replace("<html ", "<html data-away ");
  if (typed) {
    const said = JSON.stringify(typed).replaceAll("<", "\\u003c");
    text = text.replace("</body>", () => `<script type="application/json" id="typed">${said}</script></body>`);
  }
  const headers = new Headers(found.headers);
  headers.delete("Content-Encoding");
  headers.delete("Content-Length");
  return new Response(text, { headers });
}

/* A form that was sent: without the server it comes back as it was typed */

async function asked(request) {
  const copy = request.clone();
  const answer = await heard(request);
  if (answer && !isAway(answer)) {
    return answer;
  }
  const typed = [...(await copy.formData())].filter(([name, value]) => name !== SECRET && typeof value === "string");
  return (await seen(SCOPE, typed)) ?? answer ?? Response.error();
}

/* Scripts, styles, and what a device answers with: their addresses change with the edition */

async function kept(request) {
  return (await found(request).catch(() => null)) ?? fetch(request);
}

async function found(request) {
  for (const name of Object.values(NAMES)) {
    const answer = (await caches.has(name)) && (await (await caches.open(name)).match(request));
    if (answer) {
      return answer;
    }
  }
  return null;
}
