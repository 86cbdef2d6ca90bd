// A client in one function: what it answers has exactly the fields that the document asks for.

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";

/** An error beside the data; `code` is stable: docs/errors.md. */
export class DeskError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly requestId: string | null,
  ) {
    super(message);
  }
}

interface Answer<Data> {
  data?: Data | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

export class Desk {
  constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  /** The data of an operation. Rejects with DeskError; a mutation's refusal is in its `userErrors`. */
  async ask<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    const response = await fetch(this.url, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${this.token}`,
        "Content-Type": "application/json",
        Accept: "application/graphql-response+json, application/json",
      },
      body: JSON.stringify({ query: print(document), variables }),
    });
    const answer = (await response.json()) as Answer<Data>;
    const error = answer.errors?.[0];
    if (error || !answer.data) {
      const name = response.headers.get("X-Request-Id");
      throw new DeskError(error?.extensions?.code ?? "INTERNAL", error?.message ?? "No data came.", name);
    }
    return answer.data;
  }
}
