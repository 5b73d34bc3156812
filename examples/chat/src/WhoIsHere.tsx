import { useMutation, useQuery } from "convex/react";
import { useEffect } from "react";
import { api } from "../backend/_generated/api";
import type { Id } from "../backend/_generated/dataModel";
import { CLIENT } from "./identity";

const BEAT_MS = 20_000;

export function WhoIsHere({ channel, name }: { channel: Id<"channels">; name: string }) {
  useHeartbeat(channel, name);
  const present = useQuery(api.presence.who_is_here, { channel });
  if (present === undefined) return <p className="present loading">…</p>;
  return (
    <ul className="present" aria-label="Who is here">
      {present.map((each) => (
        <li key={each._id} title={each.client === CLIENT ? "This window" : undefined}>
          {each.name}
          {each.client === CLIENT && <span className="visually-hidden"> (you)</span>}
        </li>
      ))}
    </ul>
  );
}

/** Tell the others that this window shows `channel`, now and every so often, and when it closes. */
function useHeartbeat(channel: Id<"channels">, name: string): void {
  const heartbeat = useMutation(api.presence.heartbeat);
  const leave = useMutation(api.presence.leave);
  useEffect(() => {
    // A beat that fails is followed by another; there is nothing to tell anybody.
    const beat = () => void heartbeat({ channel, client: CLIENT, name }).catch(() => undefined);
    const go = () => void leave({ client: CLIENT }).catch(() => undefined);
    beat();
    const timer = setInterval(beat, BEAT_MS);
    window.addEventListener("pagehide", go);
    window.addEventListener("pageshow", beat);
    return () => {
      clearInterval(timer);
      window.removeEventListener("pagehide", go);
      window.removeEventListener("pageshow", beat);
    };
  }, [channel, name, heartbeat, leave]);
}
