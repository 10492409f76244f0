// Opens the pages without the server. Pages come from the network as long as it answers; what is kept is of one edition
// alone, and no answer to a row is ever kept.
"use strict";

const HEADER = {{ header|tojson }};
const EDITION = {{ edition|tojson }};
const NAMES = {{ names|tojson }}; // of the caches
const SCOPE = {{ scope|tojson }};
const PAGES = {{ pages|tojson }};
const ASSETS = {{ assets|tojson }};
const SECRET = {{ secret|tojson }}; // a field of the form that is not written down
const WAIT = 10_000; // ms for a page
const OURS = `slipway:${SCOPE}:`;

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));

async function install() {
  const form = await fetch(SCOPE, { cache: "reload" });
  if (!form.ok || form.headers.get(HEADER) !== EDITION) {
    throw new Error("another edition answers already"); // the browser tries again at the next visit
  }
  const cache = await caches.open(NAMES.edition);
  await cache.addAll(ASSETS.map((address) => new Request(address, { cache: "reload" })));
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
  if (request.mode === "navigate" && request.method === "GET") {
    event.respondWith(page(request, pathname));
  } else if (request.mode === "navigate" && request.method === "POST" && pathname === SCOPE) {
    event.respondWith(asked(request));
  } else if (request.method === "GET" && (ASSETS.includes(pathname + search) || pathname.startsWith(`${SCOPE}offline/`))) {
    event.respondWith(kept(request));
  }
});

/* Pages: from the network, or else as they were last seen */

async function page(request, pathname) {
  let answer = null;
  try {
    const late = new Promise((_, reject) => setTimeout(reject, WAIT));
    answer = await Promise.race([fetch(request), late]);
  } catch {}
  if (!answer || isAway(answer)) {
    return (await seen(pathname)) ?? answer ?? Response.error();
  }
  if (answer.ok && PAGES.includes(pathname)) {
    await take(answer, pathname);
  }
  return answer;
}

async function take(answer, pathname) {
  const edition = answer.headers.get(HEADER);
  if (edition === EDITION) {
    const copy = answer.clone();
    await (await caches.open(NAMES.edition)).put(pathname, copy).catch(() => {}); // the disk may be full
  } else if (edition === null && answer.headers.get("Content-Type")?.startsWith("text/html")) {
    await forget([]); // a Slipway from before there was a worker, or another program
    await self.registration.unregister();
  }
}

const isAway = (answer) => answer.status >= 502 && answer.status <= 504; // a proxy, or the service itself, says so

async function seen(pathname, typed = null) {
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
  let answer = null;
  try {
    answer = await fetch(request);
  } catch {}
  if (answer && !isAway(answer)) {
    return answer;
  }
  const typed = [...(await copy.formData())].filter(([name, value]) => name !== SECRET && typeof value === "string");
  return (await seen(SCOPE, typed)) ?? answer ?? Response.error();
}

/* Scripts, styles, and what a device answers with: their addresses change with the edition */

async function kept(request) {
  for (const name of Object.values(NAMES)) {
    const found = (await caches.has(name)) && (await (await caches.open(name)).match(request));
    if (found) {
      return found;
    }
  }
  return fetch(request);
}
