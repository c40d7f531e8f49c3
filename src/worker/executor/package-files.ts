// Owns where the running package lies: its sources (a clone) or its build (an installed package). Both have one layout.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = findRoot();
const built = import.meta.url.startsWith(new URL("dist/", root).href);

/** The URL of a module of the running package: `moduleUrl("worker/executor/main")` is src/...ts or dist/...js. */
export function moduleUrl(name: string): URL {
  return new URL(built ? `dist/${name}.js` : `src/${name}.ts`, root);
}

/** What a user's import of this package is: the running one. Undefined for any other import. */
export function ownModule(specifier: string): URL | undefined {
  if (specifier === "mapreduce-fleet") return moduleUrl("index");
  if (specifier === "mapreduce-fleet/testing") return moduleUrl("testing/index");
  return undefined;
}

/** Whether a file, as a URL or as a path, is code of this package and not of its user. */
export function isOurs(file: string): boolean {
  return ["src/", "dist/"].some((folder) => {
    const url = new URL(folder, root);
    return file.startsWith(url.href) || file.startsWith(fileURLToPath(url));
  });
}

function findRoot(): URL {
  let folder = new URL("./", import.meta.url);
  while (!existsSync(new URL("package.json", folder)) && folder.pathname !== "/")
    folder = new URL("../", folder);
  return folder;
}
