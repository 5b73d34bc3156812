import { ClerkProvider, PricingTable, SignInButton, UserButton, useAuth } from "@clerk/clerk-react";
import { ConvexProviderWithClerk } from "convex/react-clerk";
import type { ProviderKit } from "./kit";

const key = import.meta.env.VITE_CLERK_PUBLISHABLE_KEY ?? "";

/** A real Clerk application, with Clerk's own components. */
export const kit: ProviderKit = {
  Root: ({ client, children }) => (
    <ClerkProvider publishableKey={key} afterSignOutUrl="/">
      <ConvexProviderWithClerk client={client} useAuth={useAuth}>
        {children}
      </ConvexProviderWithClerk>
    </ClerkProvider>
  ),
  SignIn: () => (
    <SignInButton mode="modal">
      <button type="button">Sign in</button>
    </SignInButton>
  ),
  Account: () => <UserButton />,
  Plans: () => <PricingTable />,
};
