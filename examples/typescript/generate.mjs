// Makes generated/desk.ts: the types and a typed document of each operation in ../documents.

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { codegen } from "@graphql-codegen/core";
import * as documentNodes from "@graphql-codegen/typed-document-node";
import * as operations from "@graphql-codegen/typescript-operations";
import { buildSchema, parse, printSchema } from "graphql";

const here = (path) => new URL(path, import.meta.url);
const schema = buildSchema(readFileSync(here("../../schema.graphql"), "utf8"));
const names = readdirSync(here("../documents")).filter((name) => name.endsWith(".graphql"));
const documents = names.map((name) => ({
  location: name,
  document: parse(readFileSync(here(`../documents/${name}`), "utf8")),
}));

const text = await codegen({
  filename: "generated/desk.ts",
  schema: parse(printSchema(schema)),
  schemaAst: schema,
  documents,
  config: {
    // Money, instants and days are text.
    scalars: {
      Date: "string", DateTime: "string", Decimal: "string", JSON: "unknown", Long: "number",
      TextOrNumber: "string | number",
    },
    defaultScalarType: "unknown",
    enumsAsTypes: true,
    useTypeImports: true,
  },
  plugins: [{ operations: {} }, { documentNodes: {} }],
  pluginMap: { operations, documentNodes },
});
mkdirSync(here("generated"), { recursive: true });
writeFileSync(here("generated/desk.ts"), text);
