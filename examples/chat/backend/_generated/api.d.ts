/* eslint-disable */
// Written by `rewake dev` and `rewake codegen` from the Python functions. Do not edit: it will be overwritten.

import type { FunctionReference } from "convex/server";
import type { Doc, Id } from "./dataModel.js";

export declare const api: {
  channels: {
    /** Every channel, by name. */
    list_all: FunctionReference<"query", "public", {}, Array<Doc<"channels">>>;
    /** The channel of this name; made now if nobody has made it before. */
    open: FunctionReference<"mutation", "public", { name: string }, Id<"channels">>;
  };
  images: {
    /** Write a message that is a picture. */
    send: FunctionReference<
      "mutation",
      "public",
      { author: string; channel: Id<"channels">; image: Id<"_storage"> },
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
    /** Write a message into a channel. */
    send: FunctionReference<
      "mutation",
      "public",
      { author: string; body: string; channel: Id<"channels"> },
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

export declare const internal: {};
