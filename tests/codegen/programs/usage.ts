// A page's code against the application of rich_application.py. Compiled, never run.
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import type {
  DataModelFromSchemaDefinition,
  DocumentByName,
  FunctionArgs,
  FunctionReturnType,
  GenericDataModel,
  NamedIndex,
  NamedTableInfo,
} from "convex/server";
import type { GenericId } from "convex/values";
import { api, internal } from "./_generated/api.js";
import type { DataModel, Doc, Id, TableNames } from "./_generated/dataModel.js";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function proof<Claim extends true>(): Claim | undefined {
  return undefined;
}

// The data model has the form that the official types want.
proof<DataModel extends GenericDataModel ? true : false>();
proof<Equal<DocumentByName<DataModel, "users">, Doc<"users">>>();
proof<
  Equal<NamedIndex<NamedTableInfo<DataModel, "messages">, "by_city">, ["place.city", "kind", "_creationTime"]>
>();
proof<Equal<TableNames, "anything" | "embeddings" | "events" | "messages" | "users">>();
proof<Equal<Id<"users">, GenericId<"users">>>();
export type Unused = DataModelFromSchemaDefinition<any>;

// Arguments and results of references are what the functions say.
proof<Equal<FunctionArgs<typeof api.messages.list_recent>, { author: Id<"users">; limit?: number }>>();
proof<Equal<FunctionReturnType<typeof api.messages.first>, Doc<"messages"> | null>>();
proof<Equal<FunctionReturnType<typeof api.health.default>, any>>();

export async function page(client: ConvexClient, http: ConvexHttpClient, author: Id<"users">) {
  client.onUpdate(api.messages.list_recent, { author }, (messages) => {
    for (const message of messages) {
      const kind: "text" | "system" = message.kind;
      const zip: string | undefined = message.place.zip;
      const likes: number | undefined = message.likes[author];
      const bytes: ArrayBuffer = message.blob;
      const serial: bigint = message.serial;
      const parent: Id<"messages"> | undefined = message.reply_to;
      if (message.version === 2n || message.version === 1) console.log(kind, zip, likes, bytes, serial, parent);
      // @ts-expect-error a version is 1, 2n, null or absent
      if (message.version === 3) console.log("never");
      // @ts-expect-error there is no such field
      console.log(message.title);
    }
  });
  const sent: Id<"messages"> = await client.mutation(api.messages.send, { body: "hello", kind: "text" });
  await http.mutation(api.admin.tools.rename, { name: "new" });
  const counted: number = await client.action(api.admin.tools, { n: 1n });
  for (const event of await http.query(api.events.all, {})) {
    if (event.kind === "joined") console.log(event.who);
    // @ts-expect-error only a renamed event has a name
    else console.log(event.who);
  }
  // @ts-expect-error a kind is "text" or "system"
  await client.mutation(api.messages.send, { body: "hello", kind: "shout" });
  // @ts-expect-error the body is missing
  await client.mutation(api.messages.send, { kind: "text" });
  // @ts-expect-error there is no such argument
  await client.mutation(api.messages.send, { body: "hello", kind: "text", loud: true });
  // @ts-expect-error an id of another table
  await http.query(api.messages.list_recent, { author: sent });
  // @ts-expect-error a query is no mutation
  await client.mutation(api.messages.first, {});
  // @ts-expect-error clients cannot call internal functions
  await client.mutation(internal.admin.tools.wipe, {});
  // @ts-expect-error there is no such function
  await http.query(api.messages.last, {});
  // @ts-expect-error a bigint, not a number
  await client.action(api.admin.tools, { n: 1 });
  // @ts-expect-error there is no such table
  const stray: Id<"rooms"> | undefined = undefined;
  return [counted, stray];
}
