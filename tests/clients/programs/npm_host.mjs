// Official npm clients under the command of a Python test (tests/clients/client_host.py).
//
// Values cross in the encoded form of the protocol ({"$integer": ...}), so that a bigint, a NaN and an
// ArrayBuffer arrive in the test as what they are.

import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import { ConvexError, convexToJson, jsonToConvex } from "convex/values";
import { commands, print } from "./lines.mjs";
import { RecordingSocket, received, socketOf } from "./recording_socket.mjs";

const clients = new Map();
const unsubscribe = new Map();

function told(error) {
  const isConvexError = error instanceof ConvexError;
  return {
    message: String(error.message),
    isConvexError,
    ...(isConvexError ? { data: convexToJson(error.data) } : {}),
  };
}

// What the client would print in a browser's console, as events.
function consoleOf(client) {
  const tell = (...words) => print({ event: "console", client, message: words.join(" ") });
  return { logVerbose() {}, log: tell, warn: tell, error: tell };
}

const operations = {
  open({ client, url, session, userAgent, tellsConsole }) {
    const opened = new ConvexClient(url, {
      webSocketConstructor: userAgent === undefined ? RecordingSocket : socketOf(userAgent),
      logger: tellsConsole ? consoleOf(client) : false,
      unsavedChangesWarning: false,
    });
    // Two tabs never share a session; a test may want to see what the server does if two sockets do.
    if (session !== undefined) opened.client._sessionId = session;
    clients.set(client, opened);
  },
  open_http({ client, url }) {
    clients.set(client, new ConvexHttpClient(url, { logger: false }));
  },
  subscribe({ client, id, path, args }) {
    const query = makeFunctionReference(path);
    unsubscribe.set(
      id,
      clients.get(client).onUpdate(
        query,
        jsonToConvex(args),
        (value) => print({ event: "update", id, value: convexToJson(value) }),
        (error) => print({ event: "update", id, error: told(error) }),
      ),
    );
  },
  unsubscribe({ id }) {
    unsubscribe.get(id)();
  },
  // `kind` is a method of the client: query, mutation, action or consistentQuery.
  async call({ client, id, kind, path, args }) {
    try {
      const value = await clients.get(client)[kind](makeFunctionReference(path), jsonToConvex(args));
      print({ event: "settled", id, value: convexToJson(value) });
    } catch (error) {
      print({ event: "settled", id, error: told(error) });
    }
  },
  // As an application does: a token of the issuer at `url`, or those that the test gives for the first times.
  set_auth_from({ client, url, tokens }) {
    const left = [...tokens];
    const fetchToken = async ({ forceRefreshToken }) => {
      print({ event: "fetched", client, forced: forceRefreshToken });
      return left.shift() ?? (await (await fetch(url)).json()).token;
    };
    clients.get(client).setAuth(fetchToken, (value) => print({ event: "auth", client, value }));
  },
  set_auth({ client, id, token }) {
    clients.get(client).setAuth(token);
    print({ event: "settled", id, value: null });
  },
  clear_auth({ client, id }) {
    const opened = clients.get(client);
    (opened.client ?? opened).clearAuth();
    print({ event: "settled", id, value: null });
  },
  // As the official guide has it: a mutation gives a URL, and the file is posted there.
  async upload({ client, id, path, type, text }) {
    try {
      const url = await clients.get(client).mutation(makeFunctionReference(path), {});
      const file = new Blob([text], { type });
      const result = await fetch(url, { method: "POST", headers: { "Content-Type": file.type }, body: file });
      const { storageId } = await result.json();
      print({ event: "settled", id, value: storageId });
    } catch (error) {
      print({ event: "settled", id, error: told(error) });
    }
  },
  state({ client, id }) {
    const { isWebSocketConnected, connectionCount, inflightMutations } = clients.get(client).client.connectionState();
    print({ event: "settled", id, value: { isWebSocketConnected, connectionCount, inflightMutations } });
  },
  received({ id }) {
    print({ event: "settled", id, value: received });
  },
  async close({ client, id }) {
    await clients.get(client).close();
    print({ event: "settled", id, value: null });
  },
};

await commands((command) => operations[command.op](command));
