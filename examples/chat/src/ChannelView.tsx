import type { Doc } from "../backend/_generated/dataModel";
import { Composer } from "./Composer";
import { Messages } from "./Messages";
import { WhoIsHere } from "./WhoIsHere";

export function ChannelView({ channel, name }: { channel: Doc<"channels">; name: string }) {
  return (
    <main className="channel">
      <header>
        <h2>{channel.name}</h2>
        <WhoIsHere channel={channel._id} name={name} />
      </header>
      <Messages channel={channel._id} name={name} />
      <Composer channel={channel._id} name={name} />
    </main>
  );
}
