// Who sits before this window. A window has an id of its own, so two windows of one person are two
// presences; the name is kept per window too, so that two windows can play two people.

export const CLIENT = stored(sessionStorage, "client", randomId);

export function rememberedName(): string | null {
  return sessionStorage.getItem("name");
}

/** The name chosen last in any window of this browser: only a suggestion. */
export function suggestedName(): string {
  return localStorage.getItem("name") ?? "";
}

export function rememberName(name: string): void {
  sessionStorage.setItem("name", name);
  localStorage.setItem("name", name);
}

function stored(storage: Storage, key: string, make: () => string): string {
  const known = storage.getItem(key);
  if (known !== null) return known;
  const made = make();
  storage.setItem(key, made);
  return made;
}

function randomId(): string {
  // `crypto.randomUUID` exists on https and localhost only; a chat in a home network is neither.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
