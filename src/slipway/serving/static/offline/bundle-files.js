// The files of a bundle, each verified: its digest names the manifest, that the list, and the list every file.
const LIST = "serving.json";

const bytesOf = (text) => Uint8Array.from(text.match(/../g), (pair) => Number.parseInt(pair, 16));

async function hasSum(content, sum) {
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return bytesOf(sum).every((byte, place) => byte === found[place]);
}

async function download(url) {
  const answer = await fetch(url);
  if (!answer.ok) {
    throw new Error(`${url} was answered with status ${answer.status}`);
  }
  return new Uint8Array(await answer.arrayBuffer());
}

export const parsed = (content) => JSON.parse(new TextDecoder().decode(content));

export class BundleFiles {
  constructor(base, files) {
    this.base = base;
    this.files = files;
  }

  /* Of the folder at `base`, an absolute URL */
  static async open(base, digest) {
    if (!globalThis.crypto?.subtle) {
      throw new Error("The page must be loaded by HTTPS, or from localhost, to answer on this device");
    }
    const manifest = parsed(await verified(base, "manifest.json", digest));
    const list = manifest.parts ? parsed(await verified(base, LIST, manifest.parts.serving)) : manifest;
    return new BundleFiles(base, list.files);
  }

  read(name) {
    return verified(this.base, name, this.files[name].sha256);
  }
}

async function verified(base, name, sum) {
  const content = await download(new URL(name, base));
  if (!(await hasSum(content, sum))) {
    throw new Error(`${name} differs from what the digest names`);
  }
  return content;
}

export async function rulesOf(base) {
  return parsed(await download(new URL("rules.json", base)));
}
