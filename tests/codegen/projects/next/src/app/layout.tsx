import type { Metadata } from "next";
import type { ReactNode } from "react";
import { Backend } from "./Backend.js";

export const metadata: Metadata = { title: "Messages" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <Backend>{children}</Backend>
      </body>
    </html>
  );
}
