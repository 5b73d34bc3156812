import type { ConvexReactClient } from "convex/react";
import type { ComponentType, ReactNode } from "react";

/** What the page needs of whoever its users sign in with. `local.tsx` and `clerk.tsx` each are one. */
export interface ProviderKit {
  /** Connects the client with the provider: everything else stands inside of it. */
  Root: ComponentType<{ client: ConvexReactClient; children: ReactNode }>;
  /** Leads to the provider's sign-in. */
  SignIn: ComponentType;
  /** Leads out again. */
  Account: ComponentType;
  /** Plans to choose from. What comes of the choice arrives by webhook. */
  Plans: ComponentType;
}
