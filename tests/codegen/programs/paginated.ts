// A page that shows a long list, against functions with `PaginationOptions`. Compiled, never run.
import { usePaginatedQuery } from "convex/react";
import type { PaginatedQueryArgs, PaginatedQueryItem, PaginatedQueryReference } from "convex/react";
import type { FunctionArgs, PaginationOptions } from "convex/server";
import { api } from "./_generated/api.js";
import type { Doc, Id } from "./_generated/dataModel.js";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function proof<Claim extends true>(): Claim | undefined {
  return undefined;
}

type List = typeof api.messages.list_page;
proof<List extends PaginatedQueryReference ? true : false>();
proof<Equal<PaginatedQueryItem<List>, Doc<"messages">>>();
proof<Equal<PaginatedQueryArgs<List>, { author: Id<"users"> }>>();
proof<PaginationOptions extends FunctionArgs<List>["paginationOpts"] ? true : false>();

export function Messages(author: Id<"users">) {
  const shown = usePaginatedQuery(api.messages.list_page, { author }, { initialNumItems: 5 });
  if (shown.status === "CanLoadMore") shown.loadMore(10);
  // @ts-expect-error the hook adds the options itself
  usePaginatedQuery(api.messages.list_page, { author, paginationOpts: {} }, { initialNumItems: 5 });
  // @ts-expect-error the list wants an author
  usePaginatedQuery(api.messages.list_page, {}, { initialNumItems: 5 });
  // @ts-expect-error not a list in pages
  usePaginatedQuery(api.messages.first, {}, { initialNumItems: 5 });
  return shown.results.map((message) => message.body);
}
