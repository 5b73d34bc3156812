import { ConvexProviderWithAuth } from "convex/react";
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { ProviderKit } from "./kit";
import { PROVIDER, buy, fetchToken, sessionState, signIn, signOut, subscribe } from "./session";

const PLANS = [
  { slug: "starter", name: "Starter", price: "$9", about: "For one person and one ledger." },
  { slug: "team", name: "Team", price: "$29", about: "Five people who share their books." },
  { slug: "studio", name: "Studio", price: "$99", about: "As many people and ledgers as you like." },
];

/** What `ConvexProviderWithAuth` asks of every provider. */
function useAuth() {
  const state = useSyncExternalStore(subscribe, sessionState);
  useEffect(() => {
    if (state === "loading") void fetchToken(true);
  }, [state]);
  const fetchAccessToken = useCallback(
    ({ forceRefreshToken }: { forceRefreshToken: boolean }) => fetchToken(forceRefreshToken),
    [],
  );
  return useMemo(
    () => ({ isLoading: state === "loading", isAuthenticated: state === "signedIn", fetchAccessToken }),
    [state, fetchAccessToken],
  );
}

function SignIn() {
  const state = useSyncExternalStore(subscribe, sessionState);
  return (
    <>
      {state === "unreachable" && (
        <p role="alert" className="problem">
          The sign-in service at {PROVIDER} does not answer. Is <code>make saas</code> still running?
        </p>
      )}
      {state === "unreachable" ? (
        <button type="button" onClick={() => void fetchToken(true)}>
          Try again
        </button>
      ) : (
        <button type="button" onClick={signIn}>
          Sign in
        </button>
      )}
    </>
  );
}

function Account() {
  return (
    <button type="button" className="quiet" onClick={() => void signOut()}>
      Sign out
    </button>
  );
}

function Plans() {
  const [isDeclined, setDeclined] = useState(false);
  const [busy, setBusy] = useState<string | null>(null);
  const [hasFailed, setFailed] = useState(false);

  async function choose(plan: string) {
    setBusy(plan);
    setFailed(!(await buy(plan, isDeclined ? "declined" : "good")));
    setBusy(null);
  }

  return (
    <>
      <ul className="plans">
        {PLANS.map((plan) => (
          <li key={plan.slug} className="card">
            <h3>{plan.name}</h3>
            <p className="price">
              {plan.price} <small>a month</small>
            </p>
            <p className="faint">{plan.about}</p>
            <button type="button" disabled={busy !== null} onClick={() => void choose(plan.slug)}>
              {busy === plan.slug ? "One moment…" : `Buy ${plan.name}`}
            </button>
          </li>
        ))}
      </ul>
      <label className="check">
        <input type="checkbox" checked={isDeclined} onChange={(event) => setDeclined(event.target.checked)} />
        Pay with a card that is declined
      </label>
      {hasFailed && (
        <p role="alert" className="problem">
          The provider did not take the order. Please try again.
        </p>
      )}
    </>
  );
}

/** The stand-in that `run.py` starts. */
export const kit: ProviderKit = {
  Root: ({ client, children }) => (
    <ConvexProviderWithAuth client={client} useAuth={useAuth}>
      {children}
    </ConvexProviderWithAuth>
  ),
  SignIn,
  Account,
  Plans,
};
