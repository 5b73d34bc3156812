// A live query with the official client alone.
import { ConvexClient } from "convex/browser";
import type { FunctionArgs, FunctionReference, FunctionReturnType } from "convex/server";
import { onScopeDispose, type ShallowRef, shallowRef } from "vue";

export const client = new ConvexClient("http://127.0.0.1:3210");

export function useLive<Query extends FunctionReference<"query">>(
  query: Query,
  args: FunctionArgs<Query>,
): Readonly<ShallowRef<FunctionReturnType<Query> | undefined>> {
  const shown = shallowRef<FunctionReturnType<Query>>();
  onScopeDispose(client.onUpdate(query, args, (value) => (shown.value = value)));
  return shown;
}
