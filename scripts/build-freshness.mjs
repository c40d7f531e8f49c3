// Owns telling whether dist/ is the build of the sources that are there now. Plain JavaScript: any Node runs it.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);

/** The file in dist/ that says when its build began: what has changed since then is not in it. */
export const stampName = ".built";

/** What a build is made of. */
const sources = ["src", "scripts/build.mjs", "tsconfig.json", "tsconfig.build.json", "package.json"];

/** Whether nothing that the build is made of has changed since. A directory's own time tells of removed files. */
export function isBuildFresh() {
  const builtAt = Date.parse(readStamp());
  return sources.every((name) => newestBelow(fileURLToPath(new URL(name, root))) < builtAt);
}

function readStamp() {
  try {
    return readFileSync(new URL(`dist/${stampName}`, root), "utf8").trim();
  } catch {
    return "never";
  }
}

function newestBelow(path) {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) return stats?.mtimeMs ?? 0;
  return readdirSync(path, { recursive: true, encoding: "utf8" }).reduce(
    (newest, name) =>
      Math.max(newest, statSync(`${path}/${name}`, { throwIfNoEntry: false })?.mtimeMs ?? Infinity),
    stats.mtimeMs,
  );
}
