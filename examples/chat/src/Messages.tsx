import { useQuery } from "convex/react";
import { useEffect, useRef } from "react";
import { api } from "../backend/_generated/api";
import type { Id } from "../backend/_generated/dataModel";
import { Message } from "./Message";

export function Messages({ channel, name }: { channel: Id<"channels">; name: string }) {
  const messages = useQuery(api.messages.list_recent, { channel });
  const isBotTyping = useQuery(api.bot.is_typing, { channel });
  const end = useRef<HTMLLIElement>(null);
  const latest = messages?.at(-1)?._id;
  useEffect(() => {
    // In braces: newer browsers return a promise here, which React would take for a cleanup function.
    end.current?.scrollIntoView({ block: "end" });
  }, [latest, isBotTyping]);

  if (messages === undefined) {
    return (
      <p role="status" className="messages loading">
        Loading messages…
      </p>
    );
  }
  return (
    <ol className="messages" role="log" aria-label="Messages" tabIndex={0}>
      {messages.length === 0 && (
        <li className="hint">Nobody has written here yet. Ask “@bot help” what the bot can do.</li>
      )}
      {messages.map((message) => (
        <Message key={message._id} message={message} name={name} />
      ))}
      {isBotTyping && <li className="hint typing">bot is typing…</li>}
      <li ref={end} aria-hidden="true" className="end" />
    </ol>
  );
}
