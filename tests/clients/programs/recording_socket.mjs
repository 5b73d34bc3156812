// The same `ws` that the client would use by itself, which also counts what comes in by type. The client
// is unmodified: taking a constructor is one of its options. Also counted: sockets by what was agreed on, and the
// bytes on the wire of the one that read most.

import WebSocket from "ws";

export const received = {};

export class RecordingSocket extends WebSocket {
  constructor(...args) {
    super(...args);
    this.on("message", (data) => {
      const type = /"type"\s*:\s*"(\w+)"/.exec(data.subarray(0, 200).toString()) ?? /"type"\s*:\s*"(\w+)"/.exec(data);
      const name = type?.[1] ?? "?";
      received[name] = (received[name] ?? 0) + 1;
      received.wireBytes = Math.max(received.wireBytes ?? 0, this._socket.bytesRead);
    });
    this.on("open", () => {
      received[`open ${this.extensions}`] = (received[`open ${this.extensions}`] ?? 0) + 1;
    });
  }
}

// A browser's socket says which browser it is; `ws` says so when it is told.
export function socketOf(userAgent) {
  return class extends RecordingSocket {
    constructor(url, protocols) {
      super(url, protocols, { headers: { "User-Agent": userAgent } });
    }
  };
}
