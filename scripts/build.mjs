// Owns making dist/: our modules bundled by entry with shared chunks, so that a process reads few files to start; every
// dependency stays outside. Declarations for both public entries beside them. Does nothing when dist/ is up to date.

import { execFile } from "node:child_process";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isBuildFresh, stampName } from "./build-freshness.mjs";

const root = fileURLToPath(new URL("../", import.meta.url));

/** What is started or imported from outside: everything else is a chunk of these. */
const entries = ["index", "testing/index", "cli/main", "worker/executor/main"];

async function bundle(outdir) {
  const { build } = await import("esbuild");
  await build({
    absWorkingDir: root,
    entryPoints: entries.map((entry) => ({ in: `src/${entry}.ts`, out: entry })),
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    format: "esm",
    platform: "node",
    target: "node24",
    packages: "external",
    logLevel: "warning",
  });
}

async function declare(outdir) {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const args = [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", outdir];
  await promisify(execFile)(process.execPath, args).catch(({ stdout, stderr }) => {
    throw new Error(`tsc found errors:\n${stdout}${stderr}`);
  });
}

/** Built aside and moved into place whole, so that whoever runs meanwhile sees one build or the other. */
async function build() {
  const startedAt = new Date();
  const [dist, made, old] = ["dist", `dist.${process.pid}.new`, `dist.${process.pid}.old`].map((name) =>
    join(root, name),
  );
  try {
    // Both to their end: one that failed must not leave the other writing behind it.
    const outcomes = await Promise.allSettled([bundle(made), declare(made)]);
    const broken = outcomes.find(({ status }) => status === "rejected");
    if (broken !== undefined) throw broken.reason;
    // Somebody else may have built the same meanwhile, and run it by now.
    if (isBuildFresh()) return;
    const stamp = join(made, stampName);
    await writeFile(stamp, `${startedAt.toISOString()}\n`);
    await rename(dist, old).catch((error) => {
      if (error.code !== "ENOENT") throw error;
    });
    await rename(made, dist);
  } finally {
    await Promise.all([made, old].map((path) => rm(path, { recursive: true, force: true })));
  }
}

if (!isBuildFresh()) {
  try {
    await build();
  } catch (error) {
    console.error(`build: ${error.message}`);
    process.exitCode = 1;
  }
}
