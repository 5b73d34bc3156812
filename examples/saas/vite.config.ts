import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `run.py` builds the page for the provider that it starts. Alone, with hot reloading:
//   VITE_CONVEX_URL=http://127.0.0.1:3210 VITE_PROVIDER_URL=http://127.0.0.1:3220 npx vite
export default defineConfig({
  plugins: [react()],
  build: { target: "es2022" },
});
