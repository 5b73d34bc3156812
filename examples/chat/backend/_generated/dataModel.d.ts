/* eslint-disable */
// Written by `rewake dev` and `rewake codegen` from the Python schema. Do not edit: it will be overwritten.

import type { SystemTableNames } from "convex/server";
import type { GenericId } from "convex/values";

export type TableNames = "channels" | "heartbeats" | "messages" | "presence" | "typing";

export type Id<TableName extends TableNames | SystemTableNames> = GenericId<TableName>;

type Documents = {
  channels: {
    _id: Id<"channels">;
    _creationTime: number;
    name: string;
  };
  heartbeats: {
    _id: Id<"heartbeats">;
    _creationTime: number;
    last_seen: number;
    presence: Id<"presence">;
  };
  messages: {
    _id: Id<"messages">;
    _creationTime: number;
    author: string;
    body: string;
    channel: Id<"channels">;
    disappearing?: Id<"_scheduled_functions">;
    disappears_at?: number;
    image?: Id<"_storage">;
  };
  presence: {
    _id: Id<"presence">;
    _creationTime: number;
    channel: Id<"channels">;
    client: string;
    name: string;
  };
  typing: {
    _id: Id<"typing">;
    _creationTime: number;
    channel: Id<"channels">;
    clean_up: Id<"_scheduled_functions">;
    question: Id<"messages">;
  };
};

export type Doc<TableName extends TableNames> = Documents[TableName];

export type DataModel = {
  channels: {
    document: Documents["channels"];
    fieldPaths: "_creationTime" | "_id" | "name";
    indexes: {
      by_creation_time: ["_creationTime"];
      by_id: ["_id"];
      by_name: ["name", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  heartbeats: {
    document: Documents["heartbeats"];
    fieldPaths: "_creationTime" | "_id" | "last_seen" | "presence";
    indexes: {
      by_creation_time: ["_creationTime"];
      by_id: ["_id"];
      by_last_seen: ["last_seen", "_creationTime"];
      by_presence: ["presence", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  messages: {
    document: Documents["messages"];
    fieldPaths:
      | "_creationTime"
      | "_id"
      | "author"
      | "body"
      | "channel"
      | "disappearing"
      | "disappears_at"
      | "image";
    indexes: {
      by_channel: ["channel", "_creationTime"];
      by_creation_time: ["_creationTime"];
      by_id: ["_id"];
      by_image: ["image", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  presence: {
    document: Documents["presence"];
    fieldPaths: "_creationTime" | "_id" | "channel" | "client" | "name";
    indexes: {
      by_channel: ["channel", "name", "_creationTime"];
      by_client: ["client", "_creationTime"];
      by_creation_time: ["_creationTime"];
      by_id: ["_id"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  typing: {
    document: Documents["typing"];
    fieldPaths: "_creationTime" | "_id" | "channel" | "clean_up" | "question";
    indexes: {
      by_channel: ["channel", "_creationTime"];
      by_creation_time: ["_creationTime"];
      by_id: ["_id"];
      by_question: ["question", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
};
