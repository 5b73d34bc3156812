import { useQuery } from "convex/react";
import { useEffect, useRef } from "react";
import { api } from "../backend/_generated/api";
import type { Id } from "../backend/_generated/dataModel";
import { Picture } from "./Picture";
import { isPending } from "./pending";

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export function Messages({ channel, name }: { channel: Id<"channels">; name: string }) {
  const messages = useQuery(api.messages.list_recent, { channel });
  const end = useRef<HTMLLIElement>(null);
  const latest = messages?.at(-1)?._id;
  useEffect(() => {
    // In braces: newer browsers return a promise here, which React would take for a cleanup function.
    end.current?.scrollIntoView({ block: "end" });
  }, [latest]);

  if (messages === undefined) {
    return (
      <p role="status" className="messages loading">
        Loading messages…
      </p>
    );
  }
  return (
    <ol className="messages" role="log" aria-label="Messages" tabIndex={0}>
      {messages.length === 0 && <li className="hint">Nobody has written here yet.</li>}
      {messages.map((message) => (
        <li
          key={message._id}
          className={message.author === name ? "mine" : undefined}
          aria-busy={isPending(message)}
        >
          <span className="author">{message.author}</span>
          <time dateTime={new Date(message._creationTime).toISOString()}>
            {TIME.format(message._creationTime)}
          </time>
          {message.image === undefined ? (
            <p>{message.body}</p>
          ) : (
            <Picture image={message.image} author={message.author} />
          )}
        </li>
      ))}
      <li ref={end} aria-hidden="true" className="end" />
    </ol>
  );
}
