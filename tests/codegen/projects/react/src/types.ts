// Types by themselves: what functions take and give, documents, and names that JavaScript reserves.
import { ConvexHttpClient } from "convex/browser";
import { anyApi, getFunctionName, makeFunctionReference } from "convex/server";
import type {
  DocumentByName,
  FunctionArgs,
  FunctionReference,
  FunctionReturnType,
  GenericDataModel,
  PaginationResult,
  SystemTableNames,
  TableNamesInDataModel,
} from "convex/server";
import type { GenericId, Value } from "convex/values";
import { api, internal } from "./_generated/api";
import type { DataModel, Doc, Id, TableNames } from "./_generated/dataModel";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function proof<Claim extends true>(): Claim | undefined {
  return undefined;
}

type Kind = Doc<"messages">["kind"];

export function labelOf(kind: Kind): string {
  switch (kind) {
    case "text":
      return "said";
    case "system":
      return "happened";
  }
}

proof<DataModel extends GenericDataModel ? true : false>();
proof<Equal<TableNames, TableNamesInDataModel<DataModel>>>();
proof<Equal<DocumentByName<DataModel, "users">, Doc<"users">>>();
proof<Equal<Id<"users">, GenericId<"users">>>();
proof<Equal<Id<SystemTableNames>, GenericId<SystemTableNames>>>();
proof<Doc<"messages"> extends Value ? true : false>();

proof<Equal<FunctionArgs<typeof api.messages.list_recent>, { author?: Id<"users"> | null; limit?: number }>>();
proof<Equal<FunctionReturnType<typeof api.messages.list_recent>, Array<Doc<"messages">>>>();
proof<FunctionReturnType<typeof api.messages.list_page> extends PaginationResult<Doc<"messages">> ? true : false>();
proof<Equal<FunctionReturnType<typeof api.messages.clear>, null>>();
proof<Equal<FunctionReturnType<typeof api.admin.users.find>, Doc<"users"> | null>>();
proof<Equal<FunctionReturnType<typeof api.zoo.latest>["by"], Doc<"users"> | null>>();
proof<Equal<FunctionReturnType<typeof api.zoo.never>, never>>();
proof<Equal<FunctionArgs<typeof api.zoo.bounded>, { age: number; tags: Array<string> }>>();
proof<Equal<FunctionArgs<typeof internal.messages.purge>, { author: Id<"users"> }>>();
proof<typeof api.messages.clear extends FunctionReference<"mutation", "public"> ? true : false>();
proof<typeof internal.messages.raw extends FunctionReference<"query", "internal"> ? true : false>();

// An argument with a default may be left out; the result has it.
type Sent = FunctionArgs<typeof api.zoo.echo>["everything"];
type Back = FunctionReturnType<typeof api.zoo.echo>;
proof<Equal<Sent["parcel"], { isFragile?: boolean; weightGrams: number }>>();
proof<Equal<Back["parcel"], { isFragile: boolean; weightGrams: number }>>();
proof<Equal<Back["big"], bigint>>();
proof<Equal<Back["blob"], ArrayBuffer>>();
proof<Equal<Back["mood"], "glad" | "so-so">>();
proof<Equal<Back["rating"], 1 | 2 | 3 | null>>();
proof<Equal<Back["pair"], Array<string>>>();
proof<Equal<Back["named"], Record<string, { isFragile: boolean; weightGrams: number }>>>();
proof<Equal<Back["wish"], { price?: number; title: string }>>();
proof<Equal<Back["address"], { lines: Array<string>; postCode: string }>>();
// A type that meets itself is open from there on.
proof<Equal<Back["tree"], { children: Array<any>; label: string }>>();

export async function reserved(http: ConvexHttpClient, author: Id<"users">): Promise<string> {
  const words = [
    await http.query(api.zoo.default),
    await http.query(api.zoo.delete),
    await http.query(api.zoo.new),
    await http.query(api.zoo.constructor),
    await http.query(api.zoo.function, { var: "x" }),
  ];
  const odd = await http.query(api.zoo.odd, { odd: { class: "x", delete: author }, ids: { [author]: 1n } });
  const open = await http.query(api.zoo.untyped, { anything: [1, "x"] });
  await http.query(api.zoo.either, { value: new ArrayBuffer(1) });
  // @ts-expect-error a date is no value
  await http.query(api.zoo.either, { value: new Date() });
  // @ts-expect-error a bigint, not a number
  await http.query(api.zoo.odd, { odd: { class: "x", delete: author }, ids: { [author]: 1 } });
  // @ts-expect-error an id of a message is none of a user
  await http.query(api.zoo.odd, { odd: { class: "x", delete: "x" as Id<"messages"> } });
  // @ts-expect-error a document has no such field
  const wrong = (await http.query(api.zoo.latest)).messages[0]?.nothing;
  // @ts-expect-error there may be no first message
  const body: string = (await http.query(api.zoo.latest)).messages[0].body;
  // @ts-expect-error there is no such table
  const stray: Doc<"rooms"> | undefined = undefined;
  // What the generated types do not know can be named all the same.
  const untyped = await http.query(anyApi["zoo"]!["either"]!, { value: 1 });
  const named = makeFunctionReference<"query", { value: string }, string>("zoo:either");
  const said: string = await http.query(named, { value: "x" });
  return `${words} ${odd[0]?.class} ${open} ${wrong} ${body} ${stray} ${untyped} ${said} ${getFunctionName(named)}`;
}
