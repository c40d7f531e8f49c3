// Holds `mapreduce simulate` to its table and its seed.

import { afterEach, beforeEach, expect, test } from "vitest";
import { Folder } from "./command.ts";

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.remove());

const size = ["--maps", "20", "--reduces", "3", "--workers", "2"];

test("every policy has its makespan, and a seed gives the same table again", async () => {
  const once = await folder.run(["simulate", ...size, "--seed", "7"]);
  expect(once).toMatchObject({ status: 0, stderr: "" });
  expect(once.stdout).toMatch(/^20 maps, 3 reduces, 2 workers with 1 slots each, seed 7\n/);
  for (const policy of ["pull", "deal", "pairwise"])
    expect(once.stdout).toMatch(new RegExp(`${policy} .* s `));
  expect(await folder.run(["simulate", ...size, "--seed", "7"])).toEqual(once);
});

test("a size that is none is one line, and status 2", async () => {
  const none = await folder.run(["simulate", "--maps", "0", "--reduces", "3", "--workers", "2"]);
  expect(none).toMatchObject({ status: 2, stdout: "" });
  expect(none.stderr).toMatch(/^error: .*'--maps <M>'.* Expected an integer from 1 to 1000000\.\n$/);
});
