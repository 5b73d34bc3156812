import { useQuery } from "convex/react";
import { useState } from "react";
import { api } from "../backend/_generated/api";
import { ChannelList } from "./ChannelList";
import { ChannelView } from "./ChannelView";
import { Connection } from "./Connection";
import { NameForm } from "./NameForm";
import { rememberName, rememberedName } from "./identity";
import { useHash } from "./useHash";

export function App() {
  const [name, setName] = useState(rememberedName);
  const [isRenaming, setRenaming] = useState(false);
  const channels = useQuery(api.channels.list_all);
  const [wanted, setWanted] = useHash();

  // The channel named in the address bar if there is one, else the first.
  const channel = channels?.find((each) => each._id === wanted) ?? channels?.[0];

  if (name === null || isRenaming) {
    return (
      <NameForm
        onChoose={(chosen) => {
          rememberName(chosen);
          setName(chosen);
          setRenaming(false);
        }}
      />
    );
  }
  return (
    <div className="app">
      <aside className="sidebar">
        <h1>Chat</h1>
        <ChannelList channels={channels} open={channel?._id} onOpen={setWanted} />
        <footer>
          <Connection />
          <button type="button" className="quiet" onClick={() => setRenaming(true)}>
            You are <strong>{name}</strong>
            <span className="visually-hidden">, change your name</span>
          </button>
        </footer>
      </aside>
      {channel !== undefined ? (
        <ChannelView key={channel._id} channel={channel} name={name} />
      ) : (
        <main className="empty">
          <p role="status">
            {channels === undefined ? "Connecting…" : "There is no channel yet. Open the first one."}
          </p>
        </main>
      )}
    </div>
  );
}
