// A stream of numbered mutations over one official client that lives through the death of its server.
//
//   node npm_stream.mjs URL SOURCE COUNT WINDOW
//
// Connects, prints `ready`, and begins when it is told anything. Keeps WINDOW mutations in flight and prints
// every number when its promise resolves. Ends when all COUNT numbers are acknowledged; reconnecting and
// replaying is the client's own business.

import { ConvexClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import { once } from "node:events";
import { print } from "./lines.mjs";

const [url, source] = process.argv.slice(2, 4);
const [count, window] = process.argv.slice(4, 6).map(Number);
const record = makeFunctionReference("ledger:record");
const client = new ConvexClient(url, { logger: false, unsavedChangesWarning: false });

await client.query(makeFunctionReference("ledger:total"), {});
print({ event: "ready" });
await once(process.stdin, "data");
process.stdin.destroy();

let next = 0;
async function lane() {
  while (next < count) {
    const number = next++;
    const result = await client.mutation(record, { source, number });
    if (result !== number) throw new Error(`recorded ${number}, was told ${result}`);
    print({ event: "acknowledged", number });
  }
}

await Promise.all(Array.from({ length: window }, lane));
print({ event: "done", connections: client.client.connectionState().connectionCount });
await client.close();
