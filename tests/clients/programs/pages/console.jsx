// A page that watches a starter project, whose console is looked at.

import { ConvexProvider, ConvexReactClient, useMutation, useQuery } from "convex/react";
import { makeFunctionReference } from "convex/server";
import { createRoot } from "react-dom/client";

const list = makeFunctionReference("messages:list_recent");
const send = makeFunctionReference("messages:send");

function Page() {
  const messages = useQuery(list, {});
  window.send = useMutation(send);
  return <p>{messages === undefined ? "loading" : `${messages.length} messages`}</p>;
}

createRoot(document.getElementById("root")).render(
  <ConvexProvider client={new ConvexReactClient(window.BACKEND, { unsavedChangesWarning: false })}>
    <Page />
  </ConvexProvider>,
);
