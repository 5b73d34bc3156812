/* eslint-disable */
// Written by `rewake dev` and `rewake codegen` from the Python functions. Do not edit: it will be overwritten.

import type { FunctionReference } from "convex/server";
import type { Doc, Id } from "./dataModel.js";

export declare const api: {
  bot: {
    /** Whether somebody waits for the bot in this channel. */
    is_typing: FunctionReference<"query", "public", { channel: Id<"channels"> }, boolean>;
  };
  channels: {
    /** Every channel, by name. */
    list_all: FunctionReference<"query", "public", {}, Array<Doc<"channels">>>;
    /** The channel of this name; made now if nobody has made it before. */
    open: FunctionReference<"mutation", "public", { name: string }, Id<"channels">>;
  };
  images: {
    /** Write a message that is a picture. When it disappears, the file goes too. */
    send: FunctionReference<
      "mutation",
      "public",
      { author: string; channel: Id<"channels">; disappear_after?: number; image: Id<"_storage"> },
      Id<"messages">
    >;
    /** Where to post a picture. */
    upload_url: FunctionReference<"mutation", "public", {}, string>;
    /** Where a picture can be seen, or None where it is gone. */
    url: FunctionReference<"query", "public", { image: Id<"_storage"> }, string | null>;
  };
  messages: {
    /** The latest messages of a channel, oldest first. */
    list_recent: FunctionReference<
      "query",
      "public",
      { channel: Id<"channels">; limit?: number },
      Array<Doc<"messages">>
    >;
    /** Take back a message of one's own. Nothing happens if it is gone already. */
    remove: FunctionReference<
      "mutation",
      "public",
      { author: string; message: Id<"messages"> },
      null
    >;
    /** Write a message, for good or for `disappear_after` seconds. The bot answers those to "@bot". */
    send: FunctionReference<
      "mutation",
      "public",
      { author: string; body: string; channel: Id<"channels">; disappear_after?: number },
      Id<"messages">
    >;
  };
  presence: {
    /** Say that window `client`, with `name` before it, shows `channel` now. */
    heartbeat: FunctionReference<
      "mutation",
      "public",
      { channel: Id<"channels">; client: string; name: string },
      null
    >;
    /** Say that window `client` is closing. Nothing happens if it is not known. */
    leave: FunctionReference<"mutation", "public", { client: string }, null>;
    /** The windows that show this channel, by name. */
    who_is_here: FunctionReference<
      "query",
      "public",
      { channel: Id<"channels"> },
      Array<Doc<"presence">>
    >;
  };
};

export declare const internal: {
  bot: {
    /** Find an answer and post it. */
    answer: FunctionReference<"action", "internal", { question: Id<"messages"> }, null>;
    /** Say that there is no answer, unless there was one. */
    give_up: FunctionReference<"mutation", "internal", { question: Id<"messages"> }, null>;
    /**
     * What was said up to the question, which is the last; nothing if nobody waits for an answer any more.
     *
     * Messages that disappear are not told: an answer could repeat them and stay.
     */
    lines_to_answer: FunctionReference<
      "query",
      "internal",
      { question: Id<"messages"> },
      Array<Doc<"messages">>
    >;
    /** Post the answer, unless it comes too late. */
    reply: FunctionReference<
      "mutation",
      "internal",
      { question: Id<"messages">; text: string },
      null
    >;
  };
  messages: {
    /** The time of a message is over. */
    disappear: FunctionReference<"mutation", "internal", { message: Id<"messages"> }, null>;
  };
};
