// A page rendered on the server, which goes live in the browser.
import { fetchQuery, preloadQuery, preloadedQueryResult } from "convex/nextjs";
import { notFound } from "next/navigation";
import { api, internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import { Live } from "./Live.js";

export default async function Page({ searchParams }: { searchParams: Promise<{ name?: string }> }) {
  const { name } = await searchParams;
  const user: Doc<"users"> | null = await fetchQuery(api.admin.users.find, { name: name ?? "ann" });
  if (user === null) notFound();
  const preloaded = await preloadQuery(api.messages.listRecent, { author: user._id, limit: 20 });
  const messages: Array<Doc<"messages">> = preloadedQueryResult(preloaded);
  const count: number = await fetchQuery(api.messages.count, {}, { token: "x" });
  // @ts-expect-error there is no such argument
  await fetchQuery(api.admin.users.find, { nickname: "ann" });
  // @ts-expect-error the name is missing
  await fetchQuery(api.admin.users.find);
  // @ts-expect-error a name is a text
  await preloadQuery(api.admin.users.find, { name: 1 });
  // @ts-expect-error pages cannot call internal functions
  await fetchQuery(internal.messages.raw, { messageId: messages[0]!._id });
  // @ts-expect-error an id of a user is none of a message
  await fetchQuery(api.messages.get, { messageId: user._id });
  // @ts-expect-error a mutation is no query
  await preloadQuery(api.messages.clear);
  return <Live preloaded={preloaded} title={`${user.name}: ${messages.length} of ${count}`} />;
}
