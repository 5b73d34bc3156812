/* eslint-disable */
// Written by `rewake dev` and `rewake codegen` from the Python schema. Do not edit: it will be overwritten.

import type { SystemTableNames } from "convex/server";
import type { GenericId } from "convex/values";

export type TableNames = "deleted_users" | "payment_attempts" | "users";

export type Id<TableName extends TableNames | SystemTableNames> = GenericId<TableName>;

type Documents = {
  deleted_users: {
    _id: Id<"deleted_users">;
    _creationTime: number;
    external_id: string;
  };
  payment_attempts: {
    _id: Id<"payment_attempts">;
    _creationTime: number;
    billed_at: number;
    card: { brand: string; last_digits: string } | null;
    failure: { code: string; decline_code: string | null } | null;
    items: Array<{
      begins_at: number;
      ends_at: number | null;
      plan: string;
      plan_id: string;
      price: { amount: number; currency: string; text: string };
    }>;
    payer: { email: string | null; name: string | null; user_id: string | null };
    payment_id: string;
    reason: "checkout" | "recurring";
    settled_at: number | null;
    status: "pending" | "paid" | "failed";
    total: { amount: number; currency: string; text: string };
    updated_at: number;
  };
  users: {
    _id: Id<"users">;
    _creationTime: number;
    email: string | null;
    external_id: string;
    image_url: string | null;
    name: string;
    updated_at: number;
  };
};

export type Doc<TableName extends TableNames> = Documents[TableName];

export type DataModel = {
  deleted_users: {
    document: Documents["deleted_users"];
    fieldPaths: "_creationTime" | "_id" | "external_id";
    indexes: {
      by_creation_time: ["_creationTime"];
      by_external_id: ["external_id", "_creationTime"];
      by_id: ["_id"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  payment_attempts: {
    document: Documents["payment_attempts"];
    fieldPaths:
      | "_creationTime"
      | "_id"
      | "billed_at"
      | "card"
      | "card.brand"
      | "card.last_digits"
      | "failure"
      | "failure.code"
      | "failure.decline_code"
      | "items"
      | "payer"
      | "payer.email"
      | "payer.name"
      | "payer.user_id"
      | "payment_id"
      | "reason"
      | "settled_at"
      | "status"
      | "total"
      | "total.amount"
      | "total.currency"
      | "total.text"
      | "updated_at";
    indexes: {
      by_creation_time: ["_creationTime"];
      by_id: ["_id"];
      by_payer: ["payer.user_id", "billed_at", "_creationTime"];
      by_payment_id: ["payment_id", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  users: {
    document: Documents["users"];
    fieldPaths:
      | "_creationTime"
      | "_id"
      | "email"
      | "external_id"
      | "image_url"
      | "name"
      | "updated_at";
    indexes: {
      by_creation_time: ["_creationTime"];
      by_external_id: ["external_id", "_creationTime"];
      by_id: ["_id"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
};
