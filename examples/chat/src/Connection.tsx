import { useConvexConnectionState } from "convex/react";

/** A dot and a word: what the client library knows about its one socket. */
export function Connection() {
  const { isWebSocketConnected, hasEverConnected, inflightMutations } = useConvexConnectionState();
  const state = isWebSocketConnected ? "connected" : hasEverConnected ? "reconnecting" : "connecting";
  const waiting = !isWebSocketConnected && inflightMutations > 0 ? `, ${inflightMutations} to send` : "";
  return (
    <p className="connection" data-state={state} role="status">
      {state}
      {waiting}
    </p>
  );
}
