// Writes diskwright.schema.json, the JSON Schema of spec files for editors, from the schema that reads them.
// A test holds the two equal; run `npm run schema` after a change.
import { writeFileSync } from "node:fs";
import { toJsonSchema } from "@valibot/to-json-schema";
import { specFiles } from "../dist/spec/index.js";

const { specSchema } = await specFiles();
const schema = {
  $id: "https://unpkg.com/diskwright/diskwright.schema.json",
  title: "diskwright spec",
  description: "An image, as `diskwright build SPEC` makes it.",
  ...toJsonSchema(specSchema, { errorMode: "ignore" }),
};
writeFileSync(new URL("../diskwright.schema.json", import.meta.url), `${JSON.stringify(schema, null, 2)}\n`);
