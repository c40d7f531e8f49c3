// Owns making a clone ready: what the lockfile names and node_modules/ lacks is installed, Node 24 among it. Plain
// JavaScript for whatever Node >= 20 is there, as it runs before anything is installed. Quiet unless something is wrong.

import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../", import.meta.url));

/** The Node of the clone: everything but this setup runs on it. */
export const node = `${root}node_modules/.bin/node`;

/** Installs with `npm ci` where node_modules/ is missing or older than the lockfile; else does nothing. */
export function ensureInstalled() {
  if (isInstalled()) return;
  process.stderr.write("installing dependencies from package-lock.json ...\n");
  const { status, stdout, stderr } = runNpm(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  if (status === 0 && isInstalled()) return;
  process.stderr.write(`${stdout}${stderr}`);
  const missing = existsSync(node) ? "" : `; ${node} is not there: the package "node" runs an install script`;
  process.stderr.write(`setup: npm ci ended with status ${status}${missing}\n`);
  process.exit(1);
}

function isInstalled() {
  const installed = statSync(`${root}node_modules/.package-lock.json`, { throwIfNoEntry: false });
  const locked = statSync(`${root}package-lock.json`);
  return installed !== undefined && installed.mtimeMs >= locked.mtimeMs && existsSync(node);
}

/** The npm that runs this script, else the one on the path. */
function runNpm(args) {
  const options = { cwd: root, encoding: "utf8" };
  const npm = process.env.npm_execpath;
  return npm?.endsWith(".js")
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync("npm", args, options);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) ensureInstalled();
