import { useCallback, useSyncExternalStore } from "react";

/** The part of the address after `#`, so that a reload and a shared link open the same channel. */
export function useHash(): [string, (value: string) => void] {
  const value = useSyncExternalStore(subscribe, read);
  const set = useCallback((next: string) => {
    window.location.hash = next;
  }, []);
  return [value, set];
}

function subscribe(onChange: () => void): () => void {
  window.addEventListener("hashchange", onChange);
  return () => window.removeEventListener("hashchange", onChange);
}

function read(): string {
  return window.location.hash.slice(1);
}
