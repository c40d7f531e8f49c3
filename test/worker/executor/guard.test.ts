// Holds the orphan guard to ending what a killed process leaves running.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { expect, test, vi } from "vitest";

const guardUrl = new URL("../../../src/worker/executor/guard.ts", import.meta.url).href;

/** A worker in small: it guards one process group, prints its pid, and waits to be killed. */
const parent = `
  import { spawn } from "node:child_process";
  import { OrphanGuard } from ${JSON.stringify(guardUrl)};
  const guard = new OrphanGuard();
  const child = spawn("sh", ["-c", "trap '' HUP TERM; while :; do :; done"], { detached: true, stdio: "ignore" });
  guard.add(child.pid);
  console.log(child.pid);
  setInterval(() => {}, 1000);
`;

test("a busy process group ends when the process that guards it is killed", async () => {
  const worker = spawn(process.execPath, ["--input-type=module", "-e", parent], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const group = await new Promise<number>((resolve) => {
    createInterface(worker.stdout).once("line", (line) => resolve(Number(line)));
  });
  expect(isAlive(group)).toBe(true);
  worker.kill("SIGKILL");
  await vi.waitFor(() => expect(isAlive(group)).toBe(false), 10_000);
});

function isAlive(pid: number): boolean {
  const status = `/proc/${pid}/status`;
  return existsSync(status) && !/^State:\s+[ZX]/m.test(readFileSync(status, "latin1"));
}
