import { ConvexReactClient } from "convex/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { ErrorBoundary } from "./ErrorBoundary";
import "./style.css";

// One process serves the API and this page, so the backend is where the page came from.
const address = import.meta.env.VITE_CONVEX_URL ?? window.location.origin;
const client = new ConvexReactClient(address);

// Only the chosen one is loaded: Clerk's components ask for its servers as soon as they are there.
const { kit } = import.meta.env.VITE_CLERK_PUBLISHABLE_KEY
  ? await import("./provider/clerk")
  : await import("./provider/local");

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <kit.Root client={client}>
      <ErrorBoundary>
        <App kit={kit} />
      </ErrorBoundary>
    </kit.Root>
  </StrictMode>,
);
