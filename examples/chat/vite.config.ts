import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npx vite` serves the page with hot reloading on a port of its own; tell it where the backend is:
//   VITE_CONVEX_URL=http://127.0.0.1:3210 npx vite
// `npx vite build` writes dist/, which the Rewake server hands out from the same port as the API.
export default defineConfig({
  plugins: [react()],
});
