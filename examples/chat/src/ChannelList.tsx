import { useMutation } from "convex/react";
import { useState } from "react";
import { api } from "../backend/_generated/api";
import type { Doc, Id } from "../backend/_generated/dataModel";
import { errorText } from "./errorText";

type Props = {
  channels: Doc<"channels">[] | undefined;
  open: Id<"channels"> | undefined;
  onOpen: (channel: Id<"channels">) => void;
};

export function ChannelList({ channels, open, onOpen }: Props) {
  const openChannel = useMutation(api.channels.open);
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string | null>(null);

  async function create() {
    setProblem(null);
    try {
      // The promise settles only when the list above already holds the channel.
      onOpen(await openChannel({ name }));
      setName("");
    } catch (error) {
      setProblem(errorText(error));
    }
  }

  return (
    <nav aria-label="Channels">
      {channels === undefined ? (
        <p role="status" className="loading">
          Loading channels…
        </p>
      ) : (
        <ul>
          {channels.map((channel) => (
            <li key={channel._id}>
              <a
                href={`#${channel._id}`}
                aria-current={channel._id === open ? "page" : undefined}
              >
                {channel.name}
              </a>
            </li>
          ))}
        </ul>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <label htmlFor="channel" className="visually-hidden">
          Name of a new channel
        </label>
        <input
          id="channel"
          value={name}
          onChange={(event) => setName(event.target.value)}
          placeholder="New channel"
          maxLength={40}
          autoComplete="off"
          required
        />
        <button type="submit" aria-label="Open the channel">
          +
        </button>
      </form>
      {problem !== null && (
        <p role="alert" className="problem">
          {problem}
        </p>
      )}
    </nav>
  );
}
