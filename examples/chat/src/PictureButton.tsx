import { useMutation } from "convex/react";
import { useState } from "react";
import { api } from "../backend/_generated/api";
import type { Id } from "../backend/_generated/dataModel";
import type { Lifetime } from "./LifetimeChoice";
import { errorText } from "./errorText";

type Props = {
  channel: Id<"channels">;
  name: string;
  lifetime: Lifetime;
  onProblem: (problem: string | null) => void;
};

/** Sends a picture: a URL to post it to, the post, and the message that shows it. */
export function PictureButton({ channel, name, lifetime, onProblem }: Props) {
  const uploadUrl = useMutation(api.images.upload_url);
  const send = useMutation(api.images.send);
  const [isSending, setSending] = useState(false);

  async function submit(file: File) {
    setSending(true);
    onProblem(null);
    try {
      const answer = await fetch(await uploadUrl({}), {
        method: "POST",
        headers: { "Content-Type": file.type },
        body: file,
      });
      if (answer.status === 413) return onProblem("This picture is too large.");
      if (!answer.ok) throw new Error(`The upload was answered with ${answer.status}`);
      const { storageId } = (await answer.json()) as { storageId: Id<"_storage"> };
      await send({ channel, author: name, image: storageId, ...lifetime });
    } catch (error) {
      onProblem(errorText(error));
    } finally {
      setSending(false);
    }
  }

  return (
    <label className="picture-button" aria-busy={isSending}>
      <span aria-hidden="true">{isSending ? "…" : "Picture"}</span>
      <input
        type="file"
        aria-label="Send a picture"
        accept="image/*"
        className="visually-hidden"
        disabled={isSending}
        onChange={(event) => {
          const file = event.target.files?.[0];
          event.target.value = ""; // The same file can be chosen again.
          if (file !== undefined) void submit(file);
        }}
      />
    </label>
  );
}
