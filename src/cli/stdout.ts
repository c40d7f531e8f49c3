// Owns stdout while a command runs: results alone go there. What else writes to it (a job file's console.log) is on stderr.

/** Writes results; false once the reader has gone (`| head`), which is no error. */
export type WriteResult = (part: string | Uint8Array) => Promise<boolean>;

/** Takes stdout for results; from here on `process.stdout.write` of anyone else goes to stderr. */
export function takeStdout(): WriteResult {
  const { stdout, stderr } = process;
  const write = stdout.write.bind(stdout);
  let open = true;
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    open = false;
  });
  stdout.write = stderr.write.bind(stderr);
  return (part) =>
    new Promise((resolve) => {
      if (!open) resolve(false);
      else write(part, (error) => resolve(open && !error));
    });
}
