// What a page of the BackOffice would do. It is checked, not run: a field the schema lacks does not compile.
//
// A root field is null only where it was refused, and `ask` rejects then: `!` says so to the compiler.

import { Desk } from "./client.js";
import { BuyDocument, ChallengeDocument, DeskDocument, type ChallengeCardFragment } from "./generated/desk.js";

/** A line for each challenge of the first page. */
export async function page(desk: Desk): Promise<string[]> {
  const { challenges, me } = await desk.ask(DeskDocument, { challenges: 50 });
  return [`${me!.role} ${me!.name}`, ...challenges!.nodes.map(line)];
}

function line(challenge: ChallengeCardFragment): string {
  const equity: string = challenge.account?.equity ?? "-"; // money is text, and stays so
  return `${challenge.id} ${challenge.status} phase ${challenge.currentPhaseIndex} ${equity}`;
}

/** The rule whose limit is nearest, by the share of it that is used up. */
export async function nearest(desk: Desk, id: string): Promise<string | null> {
  const { challenge } = await desk.ask(ChallengeDocument, { id });
  const rules = challenge?.currentPhase?.progress ?? [];
  return [...rules].sort((one, other) => Number(other.used) - Number(one.used))[0]?.rule ?? null;
}

/** The new challenge's id. A refusal is an answer: it has a code, and says whether it may pass. */
export async function buy(desk: Desk, programId: string, walletId: string, idempotencyKey: string): Promise<string> {
  const { buyChallenge } = await desk.ask(BuyDocument, { programId, walletId, idempotencyKey });
  const { challenge, userErrors } = buyChallenge!;
  const [refusal] = userErrors;
  if (refusal) throw new Error(`${refusal.code}: ${refusal.message}`);
  if (!challenge) throw new Error("neither a challenge nor a refusal");
  return challenge.id;
}
