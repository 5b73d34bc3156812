import { AuthLoading, Authenticated, Unauthenticated } from "convex/react";
import { Home } from "./Home";
import type { ProviderKit } from "./provider/kit";

export function App({ kit }: { kit: ProviderKit }) {
  return (
    <>
      <AuthLoading>
        <main className="message">
          <p role="status" className="faint">
            Asking who you are…
          </p>
        </main>
      </AuthLoading>
      <Unauthenticated>
        <main className="message landing">
          <span className="logo" aria-hidden="true" />
          <h1>Tally</h1>
          <p className="faint">The books of a small business. Yours alone, and always up to date.</p>
          <kit.SignIn />
        </main>
      </Unauthenticated>
      <Authenticated>
        <Home kit={kit} />
      </Authenticated>
    </>
  );
}
