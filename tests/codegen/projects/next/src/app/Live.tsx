"use client";

import { type Preloaded, useMutation, usePreloadedQuery } from "convex/react";
import Link from "next/link";
import { api } from "../_generated/api.js";

export function Live({ preloaded, title }: { preloaded: Preloaded<typeof api.messages.listRecent>; title: string }) {
  const messages = usePreloadedQuery(preloaded);
  const clear = useMutation(api.messages.clear);
  // @ts-expect-error a text is no list
  const wrong: string = messages;
  return (
    <section title={wrong}>
      <Link href="/">{title}</Link>
      <button onClick={() => void clear()}>Clear</button>
      {messages.map((message) => (
        <p key={message._id}>{message.body}</p>
      ))}
    </section>
  );
}
