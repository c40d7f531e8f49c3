// Holds docs/PROTOCOL.md to the schemas: every kind has its section, and every field is named there.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { schemas } from "../../../src/shared/messages/schemas.ts";

const page = readFileSync(new URL("../../../docs/PROTOCOL.md", import.meta.url), "utf8");

/** Named once for all messages. */
const everywhere = new Set(["kind", "protocol", "epoch"]);

function sectionOf(kind: string): string {
  return page.split(/^#+ /m).find((section) => section.startsWith(`${kind}\n`)) ?? "";
}

test.each(Object.entries(schemas))("the protocol page names every field of %s", (kind, schema) => {
  const section = sectionOf(kind);
  expect(section).not.toBe("");
  const missing = Object.keys(schema.entries).filter(
    (field) => !everywhere.has(field) && !section.includes(`\`${field}\``),
  );
  expect(missing).toEqual([]);
});

test("the protocol page has no section of a kind that is none", () => {
  const titles = [...page.matchAll(/^### (.*)$/gm)].map(([, title]) => title);
  expect(titles.sort()).toEqual(Object.keys(schemas).sort());
});
