import { useMutation } from "convex/react";
import { api } from "../backend/_generated/api";
import type { Doc } from "../backend/_generated/dataModel";
import { Countdown } from "./Countdown";
import { Picture } from "./Picture";
import { isPending } from "./pending";

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export function Message({ message, name }: { message: Doc<"messages">; name: string }) {
  const remove = useMutation(api.messages.remove).withOptimisticUpdate((store, { message: removed }) => {
    const shown = store.getQuery(api.messages.list_recent, { channel: message.channel });
    if (shown === undefined) return;
    const kept = shown.filter((each) => each._id !== removed);
    store.setQuery(api.messages.list_recent, { channel: message.channel }, kept);
  });
  const { author, disappears_at } = message;
  const isMine = author === name;
  return (
    <li className={isMine ? "mine" : author === "bot" ? "bot" : undefined} aria-busy={isPending(message)}>
      <span className="author">{author}</span>
      <time dateTime={new Date(message._creationTime).toISOString()}>
        {TIME.format(message._creationTime)}
      </time>
      {disappears_at !== undefined && (
        <Countdown until={disappears_at} whole={disappears_at - message._creationTime} />
      )}
      {isMine && !isPending(message) && (
        <button
          type="button"
          className="remove"
          aria-label="Take this message back"
          title="Take back"
          // If it fails the message is shown again, which says enough.
          onClick={() => void remove({ message: message._id, author: name }).catch(() => undefined)}
        >
          ×
        </button>
      )}
      {message.image === undefined ? (
        <p>{message.body}</p>
      ) : (
        <Picture image={message.image} author={author} />
      )}
    </li>
  );
}
