/// <reference types="vite/client" />

interface ImportMetaEnv {
  /** Where the backend is, when it is not where the page came from (`npx vite`). */
  readonly VITE_CONVEX_URL?: string;
}
