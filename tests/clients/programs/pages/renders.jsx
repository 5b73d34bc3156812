// A page that remembers every render, so that a test can look for one that goes back.

import { ConvexProvider, ConvexReactClient, useConvexConnectionState, useMutation, useQuery } from "convex/react";
import { makeFunctionReference } from "convex/server";
import { Component } from "react";
import { createRoot } from "react-dom/client";

const get = makeFunctionReference("counters:get");
const increment = makeFunctionReference("counters:increment");
const list = makeFunctionReference("messages:list_all");
const send = makeFunctionReference("messages:send");
const fever = makeFunctionReference("failures:while_positive");

// Each is a list of what was shown, in order; null stands for loading.
window.renders = { counter: [], messages: [], pair: [], fever: [] };
window.connections = 0;

let pendingCount = 0;

function Page() {
  const counter = useQuery(get, { name: "a" });
  const messages = useQuery(list, {});
  window.renders.counter.push(counter ?? null);
  window.renders.messages.push(messages?.map((message) => message.body) ?? null);
  window.renders.pair.push([counter ?? null, messages?.length ?? null]);
  window.connections = useConvexConnectionState().connectionCount;

  window.increment = useMutation(increment).withOptimisticUpdate((store, { name }) => {
    const shown = store.getQuery(get, { name });
    if (shown !== undefined) store.setQuery(get, { name }, shown + 1);
  });
  window.send = useMutation(send).withOptimisticUpdate((store, message) => {
    const shown = store.getQuery(list, {});
    const pending = { _id: `pending:${pendingCount++}`, _creationTime: Date.now(), ...message };
    if (shown !== undefined) store.setQuery(list, {}, [...shown, pending]);
  });
  window.refuse = useMutation(makeFunctionReference("failures:application_mutation")).withOptimisticUpdate((store) => {
    const shown = store.getQuery(get, { name: "a" });
    if (shown !== undefined) store.setQuery(get, { name: "a" }, shown + 1000);
  });
  return (
    <ul>
      {messages?.map((message) => (
        <li key={message._id}>{message.body}</li>
      ))}
    </ul>
  );
}

function Fever() {
  const value = useQuery(fever, { name: "fever" });
  window.renders.fever.push(value ?? null);
  return <p>{value}</p>;
}

class Boundary extends Component {
  state = { error: null };
  static getDerivedStateFromError(error) {
    window.caught = { message: error.message, data: error.data };
    return { error };
  }
  render() {
    return this.state.error ? <p role="alert">{this.state.error.message}</p> : this.props.children;
  }
}

createRoot(document.getElementById("root")).render(
  <ConvexProvider client={new ConvexReactClient(window.BACKEND, { unsavedChangesWarning: false })}>
    <Page />
    <Boundary>
      <Fever />
    </Boundary>
  </ConvexProvider>,
);
