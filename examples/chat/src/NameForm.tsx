import { useState } from "react";
import { suggestedName } from "./identity";

export function NameForm({ onChoose }: { onChoose: (name: string) => void }) {
  const [name, setName] = useState(suggestedName);
  return (
    <main className="welcome">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const chosen = name.trim();
          if (chosen !== "") onChoose(chosen);
        }}
      >
        <h1>Chat</h1>
        <label htmlFor="name">What shall the others call you?</label>
        <input
          id="name"
          value={name}
          onChange={(event) => setName(event.target.value)}
          maxLength={40}
          autoComplete="nickname"
          autoFocus
          required
        />
        <button type="submit">Come in</button>
      </form>
    </main>
  );
}
