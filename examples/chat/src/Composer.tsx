import { useMutation } from "convex/react";
import { useState } from "react";
import { api } from "../backend/_generated/api";
import type { Id } from "../backend/_generated/dataModel";
import { LifetimeChoice, type Lifetime } from "./LifetimeChoice";
import { PictureButton } from "./PictureButton";
import { errorText } from "./errorText";
import { pendingMessage } from "./pending";

export function Composer({ channel, name }: { channel: Id<"channels">; name: string }) {
  const [body, setBody] = useState("");
  const [lifetime, setLifetime] = useState<Lifetime>({});
  const [problem, setProblem] = useState<string | null>(null);

  // Show the message at once. The client replays this on top of every newer result, and drops it in the
  // same render in which the real message arrives; so nothing flickers.
  const send = useMutation(api.messages.send).withOptimisticUpdate((store, message) => {
    const shown = store.getQuery(api.messages.list_recent, { channel: message.channel });
    if (shown === undefined) return;
    store.setQuery(api.messages.list_recent, { channel: message.channel }, [
      ...shown,
      pendingMessage(message),
    ]);
  });

  async function submit() {
    if (body.trim() === "") return;
    setBody("");
    setProblem(null);
    try {
      await send({ channel, author: name, body, ...lifetime });
    } catch (error) {
      setProblem(errorText(error));
      setBody((typed) => typed || body); // Give the words back, unless new ones are being written.
    }
  }

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {problem !== null && (
        <p role="alert" className="problem">
          {problem}
        </p>
      )}
      <label htmlFor="message" className="visually-hidden">
        Your message
      </label>
      <textarea
        id="message"
        rows={1}
        value={body}
        placeholder="Write a message, or ask @bot"
        title="Enter sends, Shift+Enter makes a new line"
        onChange={(event) => setBody(event.target.value)}
        onKeyDown={(event) => {
          // `isComposing`: Enter belongs to an input method that is still building a word.
          if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
            event.preventDefault();
            void submit();
          }
        }}
        autoFocus
      />
      <div className="tools">
        <LifetimeChoice lifetime={lifetime} onChoose={setLifetime} />
        <PictureButton channel={channel} name={name} lifetime={lifetime} onProblem={setProblem} />
        <button type="submit">Send</button>
      </div>
    </form>
  );
}
