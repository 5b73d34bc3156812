import { Component, type ReactNode } from "react";
import { errorText } from "./errorText";

/** Shows what a query said instead of an empty page, and offers another try. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return (
      <main className="message">
        <h1>That did not work</h1>
        <p role="alert" className="problem">
          {errorText(this.state.error)}
        </p>
        <button type="button" onClick={() => this.setState({ error: null })}>
          Try again
        </button>
      </main>
    );
  }
}
