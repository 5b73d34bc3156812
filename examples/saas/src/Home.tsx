import { useQuery } from "convex/react";
import { useRef } from "react";
import { api } from "../backend/_generated/api";
import { Payments } from "./Payments";
import { Summary } from "./Summary";
import type { ProviderKit } from "./provider/kit";

/** Everything behind sign-in. The account itself comes by webhook, maybe a moment after the first sign-in. */
export function Home({ kit }: { kit: ProviderKit }) {
  const user = useQuery(api.users.current);
  const wasThere = useRef(false);
  if (user) wasThere.current = true;

  if (user === undefined) return <Waiting kit={kit} title="" text="Loading your account…" />;
  if (user === null && wasThere.current)
    return <Waiting kit={kit} title="Your account was deleted" text="Nothing of yours is shown here any more." />;
  if (user === null)
    return (
      <Waiting
        kit={kit}
        title="Almost there"
        text="Your account is on its way from the provider. This page changes by itself when it arrives."
      />
    );
  return (
    <div className="app">
      <header>
        <span className="logo small" aria-hidden="true" />
        <strong className="brand">Tally</strong>
        <p className="who">
          {user.image_url !== null && <img src={user.image_url} alt="" />}
          <span>
            <strong>{user.name}</strong>
            <small>{user.email}</small>
          </span>
        </p>
        <kit.Account />
      </header>
      <main>
        <Summary />
        <section aria-labelledby="plans">
          <h2 id="plans">Plans</h2>
          <kit.Plans />
        </section>
        <section aria-labelledby="payments">
          <h2 id="payments">Payments</h2>
          <Payments />
        </section>
      </main>
    </div>
  );
}

function Waiting({ kit, title, text }: { kit: ProviderKit; title: string; text: string }) {
  return (
    <main className="message">
      {title !== "" && <h1>{title}</h1>}
      <p role="status" className="faint">
        {text}
      </p>
      <kit.Account />
    </main>
  );
}
