"use server";

import { fetchAction, fetchMutation } from "convex/nextjs";
import { revalidatePath } from "next/cache";
import { api } from "../_generated/api.js";
import type { Id } from "../_generated/dataModel.js";

export async function send(author: Id<"users">, body: string): Promise<string | null> {
  const sent: Id<"messages"> = await fetchMutation(api.messages.send, { author, body });
  const said: string | null = await fetchAction(api.messages.translate, { messageId: sent, language: "de" });
  // @ts-expect-error an action is no mutation
  await fetchMutation(api.messages.translate, { messageId: sent, language: "de" });
  // @ts-expect-error names are in camel case here
  await fetchAction(api.messages.translate, { message_id: sent, language: "de" });
  revalidatePath("/");
  return said;
}
