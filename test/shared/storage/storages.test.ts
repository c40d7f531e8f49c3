// Holds the choice of storage by scheme.

import { expect, test } from "vitest";
import { Storages } from "../../../src/shared/storage/storages.ts";

test("file URLs go to the file system, s3 says that it is not yet there, others are refused", async () => {
  const storages = new Storages();
  await expect(storages.read("file:///no/such/file")).rejects.toMatchObject({ code: "INPUT_NOT_FOUND" });
  await expect(storages.size("s3://bucket/key")).rejects.toMatchObject({ code: "NOT_YET_AVAILABLE" });
  await expect(storages.write("/plain/path", new Uint8Array())).rejects.toMatchObject({
    code: "STORAGE_FAILED",
  });
});
