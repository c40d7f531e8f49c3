#!/usr/bin/env node
// Starts the command line: the build of an installed package, the sources of a clone that has none or an old one. Plain
// JavaScript that any Node runs, to say which one is needed.

import { existsSync } from "node:fs";

const [major] = process.versions.node.split(".");
if (Number(major) < 24) {
  process.stderr.write(
    `error: mapreduce needs Node 24 or newer, found ${process.version} (${process.execPath})\n`,
  );
  process.exit(2);
}

const built = new URL("../dist/cli/main.js", import.meta.url);
const freshness = new URL("../scripts/build-freshness.mjs", import.meta.url);
const isClone = existsSync(freshness);
const useBuild = existsSync(built) && (!isClone || (await import(freshness.href)).isBuildFresh());
const { main } = await import(useBuild ? built.href : new URL("../src/cli/main.ts", import.meta.url).href);
process.exit(await main(process.argv.slice(2)));
