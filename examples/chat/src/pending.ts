import type { Doc, Id } from "../backend/_generated/dataModel";

const PENDING = "pending:";
let count = 0;

type Sent = Pick<Doc<"messages">, "author" | "body" | "channel"> & { disappear_after?: number };

/** A message as it will look once the server has it; until then its id is one of ours. */
export function pendingMessage({ disappear_after, ...message }: Sent): Doc<"messages"> {
  const now = Date.now();
  return {
    _id: `${PENDING}${count++}` as Id<"messages">,
    _creationTime: now,
    ...message,
    ...(disappear_after === undefined ? {} : { disappears_at: now + disappear_after * 1000 }),
  };
}

/** Whether this message is still only our own hope: the server has not confirmed it. */
export function isPending(message: Doc<"messages">): boolean {
  return message._id.startsWith(PENDING);
}
