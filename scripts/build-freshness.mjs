// Owns telling whether dist/ is the build of the sources that are there now. Plain JavaScript: any Node runs it.

import { readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);

/** Written last by scripts/build.mjs: a build that broke off leaves none. */
export const stamp = fileURLToPath(new URL("dist/.built", root));

/** What a build is made of. */
const sources = ["src", "scripts/build.mjs", "tsconfig.json", "package.json", "package-lock.json"];

/** Whether nothing that the build is made of has changed since. A directory's own time tells of removed files. */
export function isBuildFresh() {
  const builtAt = modifiedAt(stamp);
  return (
    builtAt !== undefined &&
    sources.every((name) => newestBelow(fileURLToPath(new URL(name, root))) <= builtAt)
  );
}

function newestBelow(path) {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return readdirSync(path, { recursive: true }).reduce(
    (newest, name) => Math.max(newest, modifiedAt(`${path}/${name}`) ?? 0),
    stats.mtimeMs,
  );
}

function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}
