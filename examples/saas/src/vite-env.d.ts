/// <reference types="vite/client" />

interface ImportMetaEnv {
  /** Where the backend is, when it is not where the page came from (`npx vite`). */
  readonly VITE_CONVEX_URL?: string;
  /** Where the stand-in for the provider is. */
  readonly VITE_PROVIDER_URL?: string;
  /** The key of a Clerk application. With it the page signs in with Clerk and not with the stand-in. */
  readonly VITE_CLERK_PUBLISHABLE_KEY?: string;
}
