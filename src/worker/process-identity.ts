// Owns telling a process from a later one of the same pid.

import { readFileSync } from "node:fs";

/** A process as a lock names it: its pid, and the moment it started in the system's own counting. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly start: string;
}

/** This process. */
export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, start: startOf(process.pid) ?? "unknown" };
}

/** Whether that very process still runs. */
export function isAlive({ pid, start }: ProcessIdentity): boolean {
  const found = startOf(pid);
  if (found !== undefined) return found === start;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Boot and clock ticks since it, field 22 of /proc/<pid>/stat (the command, field 2, may hold anything); undefined where there is no such process, or no /proc. */
function startOf(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return `${boot} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined;
  }
}
