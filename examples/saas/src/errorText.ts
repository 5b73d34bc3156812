import { ConvexError } from "convex/values";

/** What to show for a failed call: the sentence the backend meant for people, if it sent one. */
export function errorText(error: unknown): string {
  if (error instanceof ConvexError) {
    const data: unknown = error.data;
    if (typeof data === "object" && data !== null && "message" in data) return String(data.message);
  }
  return "That did not work. Please try again.";
}
