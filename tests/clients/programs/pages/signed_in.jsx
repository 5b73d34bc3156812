// A page whose users sign in with an issuer of the test, through the unmodified ConvexProviderWithAuth.
//
//   signIn(url)    as whoever the issuer at `url` gives tokens for        signOut()

import { ConvexProviderWithAuth, ConvexReactClient, useConvexAuth, useConvexConnectionState, useMutation, useQuery } from "convex/react";
import { makeFunctionReference } from "convex/server";
import { useCallback, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";

const who = makeFunctionReference("users:who");
const mine = makeFunctionReference("users:mine");
const count = makeFunctionReference("users:count");

// Every render, in order: [auth, who, mine, count]; null stands for loading.
window.renders = [];
// For each token asked for, whether it had to be fresh; and the tokens that were given.
window.fetched = [];
window.tokens = [];
window.connections = 0;

// What a provider's own library would keep: who is signed in, and whom to tell.
let source = null;
let listeners = [];
const subscribe = (listener) => {
  listeners.push(listener);
  return () => {
    listeners = listeners.filter((each) => each !== listener);
  };
};
const change = (url) => {
  source = url;
  for (const listener of listeners) listener();
};
window.signIn = (url) => change(url);
window.signOut = () => change(null);

let cached = { url: null, token: null };

function useAuth() {
  const url = useSyncExternalStore(subscribe, () => source);
  const fetchAccessToken = useCallback(
    async ({ forceRefreshToken }) => {
      window.fetched.push(forceRefreshToken);
      if (url === null) return null;
      if (forceRefreshToken || cached.url !== url) {
        const { token } = await (await fetch(url)).json();
        cached = { url, token };
      }
      window.tokens.push(cached.token);
      return cached.token;
    },
    [url],
  );
  return { isLoading: false, isAuthenticated: url !== null, fetchAccessToken };
}

function Page() {
  const { isLoading, isAuthenticated } = useConvexAuth();
  const caller = useQuery(who, {});
  const thoughts = useQuery(mine, {});
  const all = useQuery(count, {});
  const auth = isLoading ? "loading" : isAuthenticated ? "in" : "out";
  // `undefined` is loading, and null is nobody.
  window.renders.push([auth, caller === undefined ? null : (caller ?? "nobody"), thoughts ?? null, all ?? null]);
  window.think = useMutation(makeFunctionReference("users:think"));
  window.connections = useConvexConnectionState().connectionCount;
  return (
    <p>
      {auth}: {caller ?? "nobody"}
    </p>
  );
}

const client = new ConvexReactClient(window.BACKEND, { unsavedChangesWarning: false });
createRoot(document.getElementById("root")).render(
  <ConvexProviderWithAuth client={client} useAuth={useAuth}>
    <Page />
  </ConvexProviderWithAuth>,
);
