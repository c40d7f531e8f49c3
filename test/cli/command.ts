// Runs the command line as a process of its own, from its sources, in a folder of its own.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const main = new URL("../../src/cli/main.ts", import.meta.url).href;
/** What bin/mapreduce.js does; that one may choose a build that is older than a test's sources. */
const launcher = `const { main } = await import(${JSON.stringify(main)}); process.exit(await main(process.argv.slice(1)));`;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What is on stderr by now. */
  stderr(): string;
}

/** A folder with files in it, where commands run; scratch is in it too. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), "mapreduce-cli-"));
  readonly scratch = join(this.path, "scratch");

  /** Writes a file and gives its path. */
  write(name: string, text: string): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Started {
    const child = spawn(process.execPath, ["--input-type=module", "-e", launcher, "--", ...args], {
      cwd: this.path,
      env: { ...process.env, MAPREDUCE_SCRATCH_DIR: this.scratch, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on("error", reject).on("close", (status) => resolve({ status, stdout, stderr }));
    });
    return { child, ended, stderr: () => stderr };
  }

  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return this.start(args, env).ended;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A job that counts words; `extra` are more fields of its specification, `map` what it does with each word first. */
export function wordCount(extra = "", map = ""): string {
  return `import { MapReduceSpecification, mapper, reducer, type Emit } from "mapreduce-fleet";
const split = mapper("split", (line: string, emit: Emit<string, number>, context) => {
  for (const word of line.split(" ")) { ${map}; emit(word, 1); }
});
const total = reducer("total", (word: string, counts: Iterable<number>, emit: Emit<string, number>) => {
  let sum = 0;
  for (const count of counts) sum += count;
  emit(word, sum);
});
export default new MapReduceSpecification({
  name: "count", inputs: ["in.txt"], mapper: split, reducer: total, reduceTasks: 2, output: "out", ${extra}
});
`;
}
