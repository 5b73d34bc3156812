// Two long lists, shown by the official hook; every render is remembered.

import { ConvexProvider, ConvexReactClient, usePaginatedQuery } from "convex/react";
import { makeFunctionReference } from "convex/server";
import { createRoot } from "react-dom/client";

window.renders = { posts: [], numbers: [] };

function Posts() {
  const shown = usePaginatedQuery(makeFunctionReference("feeds:list_page"), { feed: "a" }, { initialNumItems: 5 });
  window.renders.posts.push({ status: shown.status, numbers: shown.results.map((post) => post.number) });
  window.posts = shown;
  return <p>{shown.status}</p>;
}

function Numbers() {
  const shown = usePaginatedQuery(makeFunctionReference("feeds:numbers_page"), { feed: "b" }, { initialNumItems: 4 });
  window.renders.numbers.push({ status: shown.status, numbers: shown.results });
  window.numbers = shown;
  return <p>{shown.status}</p>;
}

window.client = new ConvexReactClient(window.BACKEND, { unsavedChangesWarning: false });
createRoot(document.getElementById("root")).render(
  <ConvexProvider client={window.client}>
    <Posts />
    <Numbers />
  </ConvexProvider>,
);
