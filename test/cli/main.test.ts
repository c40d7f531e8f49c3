// Holds the command line to its frame: help, suggestions, commands that come later, exit statuses, .env.

import { afterEach, beforeEach, expect, test } from "vitest";
import { Folder, wordCount } from "./command.ts";

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.remove());

test("help is on stdout and lists every command and every option of run", async () => {
  const help = await folder.run(["--help"]);
  expect(help).toMatchObject({ status: 0, stderr: "" });
  for (const name of "run submit jobs status logs cancel master worker dead k8s".split(" ")) {
    expect(help.stdout).toMatch(new RegExp(`^ {2}${name} `, "m"));
  }
  const runHelp = await folder.run(["run", "--help"]);
  expect(runHelp.status).toBe(0);
  const options =
    "input output overwrite reduce-tasks split-size files-per-task memory max-attempts task-timeout skip-bad-records no-backup-tasks scheduling param slots scratch isolation plan json progress";
  for (const name of options.split(" ")) expect(runHelp.stdout).toContain(`--${name}`);
  expect(runHelp.stdout).toContain("Examples:");
});

test("an unknown option or command is one line with the nearest one, and status 2", async () => {
  const option = await folder.run(["run", "job.ts", "--reduce-task", "3"]);
  expect(option).toEqual({
    status: 2,
    stdout: "",
    stderr: "error: unknown option '--reduce-task' (Did you mean --reduce-tasks?)\n",
  });
  const command = await folder.run(["rum"]);
  expect(command).toMatchObject({ status: 2, stderr: "error: unknown command 'rum' (Did you mean run?)\n" });
});

test("a command of the fleet says that it comes with the fleet, whatever follows it", async () => {
  const submit = await folder.run(["submit", "job.ts", "--broker", "amqp://localhost"]);
  expect(submit).toMatchObject({ status: 2, stdout: "" });
  expect(submit.stderr).toMatch(/^error: mapreduce submit: comes with the fleet.*\n$/);
});

test(".env of the current directory is read, and what the environment has already stays", async () => {
  folder.write("in.txt", "a\n");
  folder.write(".env", "NAME_A=from-file\nNAME_B=from-file\n");
  const job = folder.write(
    "job.ts",
    wordCount().replace('"out"', '`out-${process.env["NAME_A"]}-${process.env["NAME_B"]}`'),
  );
  const plan = await folder.run(["run", job, "--plan"], { NAME_B: "from-environment" });
  expect(plan.stdout).toContain("out-from-file-from-environment");
});
