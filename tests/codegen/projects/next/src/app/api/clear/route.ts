import { ConvexHttpClient } from "convex/browser";
import type { FunctionReturnType } from "convex/server";
import { NextResponse, type NextRequest } from "next/server";
import { api } from "../../../_generated/api.js";

type Page = FunctionReturnType<typeof api.messages.listPage>;

export async function POST(request: NextRequest): Promise<NextResponse> {
  const http = new ConvexHttpClient(request.nextUrl.origin);
  const author = (await http.mutation(api.admin.users.create, { name: "ann", mood: "so-so" })) satisfies string;
  const page: Page = await http.query(api.messages.listPage, {
    author,
    paginationOpts: { numItems: 10, cursor: null },
  });
  // @ts-expect-error nobody feels like that
  await http.mutation(api.admin.users.create, { name: "ann", mood: "sad" });
  // @ts-expect-error the options of a page are missing
  await http.query(api.messages.listPage, { author });
  return NextResponse.json({ done: page.isDone, cleared: await http.mutation(api.messages.clear, {}) });
}
