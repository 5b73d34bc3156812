import { useQuery } from "convex/react";
import { api } from "../backend/_generated/api";
import type { Id } from "../backend/_generated/dataModel";

/** A picture that somebody sent. Its address stays the same, so the browser keeps it. */
export function Picture({ image, author }: { image: Id<"_storage">; author: string }) {
  const url = useQuery(api.images.url, { image });
  if (url === null) return <p className="hint">This picture is gone.</p>;
  return <img className="picture" src={url} alt={`A picture from ${author}`} />;
}
