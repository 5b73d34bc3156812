import type { Doc, Id } from "../backend/_generated/dataModel";

const PENDING = "pending:";
let count = 0;

/** A message as it will look once the server has it; until then its id is one of ours. */
export function pendingMessage(
  message: Pick<Doc<"messages">, "author" | "body" | "channel">,
): Doc<"messages"> {
  return { _id: `${PENDING}${count++}` as Id<"messages">, _creationTime: Date.now(), ...message };
}

/** Whether this message is still only our own hope: the server has not confirmed it. */
export function isPending(message: Doc<"messages">): boolean {
  return message._id.startsWith(PENDING);
}
