// The hooks of `convex/react` against generated types. Each `@ts-expect-error` is a mistake that must be found.
import {
  ConvexProvider,
  ConvexReactClient,
  insertAtTop,
  optimisticallyUpdateValueInPaginatedQuery,
  useAction,
  useConvex,
  useMutation,
  usePaginatedQuery,
  useQueries,
  useQuery,
} from "convex/react";
import { useMemo, useState } from "react";
import { api, internal } from "./_generated/api";
import type { Doc, Id } from "./_generated/dataModel";
import { labelOf } from "./types";

const client = new ConvexReactClient("http://127.0.0.1:3210");

export function App({ author }: { author: Id<"users"> }) {
  return (
    <ConvexProvider client={client}>
      <Recent author={author} />
      <Pages author={author} />
      <Composer author={author} />
    </ConvexProvider>
  );
}

function Recent({ author }: { author: Id<"users"> | null }) {
  const recent = useQuery(api.messages.list_recent, { author, limit: 20 });
  const everybody = useQuery(api.messages.list_recent, {});
  const count: number | undefined = useQuery(api.messages.count);
  const later = useQuery(api.messages.list_page, "skip");
  // @ts-expect-error there is no such argument
  useQuery(api.messages.list_recent, { writer: author });
  // @ts-expect-error a limit is a number
  useQuery(api.messages.list_recent, { limit: "20" });
  // @ts-expect-error the message is missing
  useQuery(api.messages.get, {});
  // @ts-expect-error a query without arguments takes none
  useQuery(api.messages.count, { limit: 1 });
  // @ts-expect-error a mutation is no query
  useQuery(api.messages.clear);
  // @ts-expect-error pages cannot call internal functions
  useQuery(internal.messages.raw, "skip");
  // @ts-expect-error internal functions are not in `api`
  useQuery(api.messages.raw, "skip");
  // @ts-expect-error there is no such module
  useQuery(api.nothing.at_all, {});
  if (recent === undefined) return null;
  const first: Doc<"messages"> | undefined = recent[0];
  return (
    <ul title={`${count} ${later?.page.length} ${everybody?.length}`}>
      {recent.map((message) => (
        <Row key={message._id} message={message} isFirst={message === first} />
      ))}
    </ul>
  );
}

function Row({ message, isFirst }: { message: Doc<"messages">; isFirst: boolean }) {
  const parent = useQuery(api.messages.get, message.answers === undefined ? "skip" : { message_id: message.answers });
  // @ts-expect-error an author is no message
  useQuery(api.messages.get, { message_id: message.author });
  // @ts-expect-error there is no such field
  const title = message.title;
  return (
    <li id={isFirst ? "first" : title}>
      {parent?.body} {message.body} {labelOf(message.kind)} {message.serial.toString()}
      {message.reactions.map((reaction) => reaction.sign)}
      {message.preview?.byteLength} {message.likes["x"]?.toFixed()}
    </li>
  );
}

function Pages({ author }: { author: Id<"users"> }) {
  const shown = usePaginatedQuery(api.messages.list_page, { author }, { initialNumItems: 10 });
  // @ts-expect-error the hook adds the options itself
  usePaginatedQuery(api.messages.list_page, { author, paginationOpts: {} }, { initialNumItems: 10 });
  // @ts-expect-error a list in pages is what it wants
  usePaginatedQuery(api.messages.list_recent, {}, { initialNumItems: 10 });
  const queries = useMemo(() => ({ found: { query: api.admin.users.find, args: { name: "ann" } } }), []);
  const many = useQueries(queries);
  return (
    <button onClick={() => shown.loadMore(10)} disabled={shown.status !== "CanLoadMore"}>
      {shown.results.map((message) => message.body)} {Object.keys(many)}
    </button>
  );
}

function Composer({ author }: { author: Id<"users"> }) {
  const [body, setBody] = useState("");
  const translate = useAction(api.messages.translate);
  const convex = useConvex();
  const remove = useMutation(api.admin.users.delete);
  const send = useMutation(api.messages.send).withOptimisticUpdate((store, args) => {
    const recent = store.getQuery(api.messages.list_recent, {});
    if (recent === undefined) return;
    const draft: Doc<"messages"> = {
      _id: crypto.randomUUID() as Id<"messages">,
      _creationTime: Date.now(),
      author: args.author,
      body: args.body,
      kind: args.kind ?? "text",
      reactions: [],
      likes: {},
      serial: 0n,
      preview: null,
      extra: null,
    };
    store.setQuery(api.messages.list_recent, {}, [draft, ...recent]);
    // @ts-expect-error a body is a text
    store.setQuery(api.messages.list_recent, {}, [{ ...draft, body: 1 }]);
    // @ts-expect-error a mutation has no stored result
    store.getQuery(api.messages.send, args);
    insertAtTop({ paginatedQuery: api.messages.list_page, argsToMatch: { author }, localQueryStore: store, item: draft });
    optimisticallyUpdateValueInPaginatedQuery(store, api.messages.list_page, { author }, (message) => ({
      ...message,
      body: args.body,
    }));
  });
  async function submit() {
    const sent: Id<"messages"> = await send({ author, body });
    const said: string | null = await translate({ message_id: sent, language: "de" });
    const again: Doc<"messages"> | null = await convex.query(api.messages.get, { message_id: sent });
    await remove({ user_id: author });
    // @ts-expect-error a kind is "text" or "system"
    await send({ author, body, kind: "shout" });
    // @ts-expect-error the author is missing
    await send({ body });
    // @ts-expect-error an id is no plain text
    await send({ author: "ann", body });
    // @ts-expect-error the result is an id of a message
    const wrong: Id<"users"> = await send({ author, body });
    setBody(`${said} ${again?.body} ${wrong}`);
  }
  return <input value={body} onChange={(event) => setBody(event.target.value)} onBlur={() => void submit()} />;
}
