// `npm start`: a first result on a bare clone. Counts the words of the documentation and sources in node_modules/ on all
// cores, then prints the most frequent ones. Options of `mapreduce run` may follow: npm start -- --slots 1

import { spawn } from "node:child_process";
import { createReadStream, readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { ensureInstalled, node, root } from "./setup.mjs";

const input = "node_modules/**/*.{md,d.ts,js}";
const output = "out/word-count";
const shown = 10;

/** Runs a script on the clone's own Node. A Ctrl-C is the script's to answer: it is waited for. */
function run(args) {
  return new Promise((resolve, reject) => {
    // The files that a run writes are listed by mostFrequentWords.
    spawn(node, args, { cwd: root, stdio: ["inherit", "ignore", "inherit"] })
      .on("error", reject)
      .on("close", (code, signal) => resolve(signal === null ? code : 1));
  });
}

async function mostFrequentWords() {
  const words = [];
  for (const name of readdirSync(`${root}${output}`).filter((each) => each.startsWith("part-"))) {
    for await (const line of createInterface({ input: createReadStream(`${root}${output}/${name}`) })) {
      const [word, count] = line.split("\t");
      words.push({ word, count: Number(count) });
      if (words.length >= 1000) keepFrequent(words);
    }
  }
  keepFrequent(words);
  return words;
}

/** A corpus has millions of words: only as many are held as will be shown, and a batch. */
function keepFrequent(words) {
  words.sort((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1)).splice(shown);
}

process.on("SIGINT", () => {});
ensureInstalled();
const job = ["bin/mapreduce.js", "run", "examples/word-count/job.ts", "--input", input, "--output", output];
const steps = [["scripts/build.mjs"], [...job, "--overwrite", ...process.argv.slice(2)]];
for (const step of steps) {
  const status = await run(step);
  if (status !== 0) process.exit(status);
}
console.log(`\nThe most frequent words of ${input}:`);
for (const { word, count } of await mostFrequentWords()) {
  console.log(`${count.toLocaleString("en-US").padStart(12)}  ${word}`);
}
