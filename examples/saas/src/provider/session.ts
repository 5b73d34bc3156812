// Who is signed in with the stand-in, and their token. The provider keeps the session in a cookie of its own;
// this page has only tokens, which live for a minute, and only in memory.

export const PROVIDER = import.meta.env.VITE_PROVIDER_URL ?? "http://127.0.0.1:3220";

export type SessionState = "loading" | "signedIn" | "signedOut" | "unreachable";

let state: SessionState = "loading";
let token: string | null = null;
const listeners = new Set<() => void>();

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function sessionState(): SessionState {
  return state;
}

/** A token: the one at hand, or with `fresh` a new one. Null when nobody is signed in any more. */
export async function fetchToken(fresh: boolean): Promise<string | null> {
  if (token !== null && !fresh) return token;
  try {
    const answer = await call("GET", "/token");
    token = ((await answer.json()) as { token: string | null }).token;
    change(token === null ? "signedOut" : "signedIn");
  } catch {
    token = null;
    change("unreachable");
  }
  return token;
}

export function signIn(): void {
  window.location.assign(`${PROVIDER}/sign-in`);
}

export async function signOut(): Promise<void> {
  token = null;
  change("signedOut");
  await call("POST", "/sign-out").catch(() => undefined);
}

/** Buy a plan. False when the provider does not answer; all else is told by webhook. */
export async function buy(plan: string, card: "good" | "declined"): Promise<boolean> {
  try {
    return (await call("POST", "/checkout", new URLSearchParams({ plan, card }))).ok;
  } catch {
    return false;
  }
}

function call(method: string, path: string, body: URLSearchParams | null = null): Promise<Response> {
  return fetch(`${PROVIDER}${path}`, { method, body, credentials: "include" });
}

function change(next: SessionState): void {
  if (next === state) return;
  state = next;
  for (const listener of listeners) listener();
}
