/* eslint-disable */
// Written by `rewake dev` and `rewake codegen` from the Python functions. Do not edit: it will be overwritten.

import type { FunctionReference } from "convex/server";
import type { Doc } from "./dataModel.js";

export declare const api: {
  payments: {
    /** The caller's payment attempts, latest first. */
    mine: FunctionReference<
      "query",
      "public",
      {
        paginationOpts: {
          cursor: string | null;
          endCursor?: string | null;
          id?: number;
          maximumBytesRead?: number;
          maximumRowsRead?: number;
          numItems: number;
        };
      },
      {
        continueCursor: string;
        isDone: boolean;
        page: Array<Doc<"payment_attempts">>;
        pageStatus: "SplitRecommended" | "SplitRequired" | null;
        splitCursor: string | null;
      }
    >;
    /** The caller's payments at a glance. */
    summary: FunctionReference<
      "query",
      "public",
      {},
      {
        attempts: number;
        failed: number;
        latest:
          | {
            begins_at: number;
            ends_at: number | null;
            plan: string;
            plan_id: string;
            price: { amount: number; currency: string; text: string };
          }
          | null;
        paid: Record<string, number>;
        pending: number;
      }
    >;
  };
  users: {
    /** The caller; None if nobody is signed in, and until the webhook about a new account has come. */
    current: FunctionReference<"query", "public", {}, Doc<"users"> | null>;
  };
};

export declare const internal: {
  payments: {
    /** Take name and address out of a user's payments, some hundred at a time. */
    forget_payer: FunctionReference<
      "mutation",
      "internal",
      { cursor?: string | null; user_id: string },
      null
    >;
  };
  webhooks: {
    /** Bring our documents up to what an event tells. Taking it again changes nothing. */
    take: FunctionReference<
      "mutation",
      "internal",
      {
        event:
          | {
            data: {
              email_addresses: Array<{ email_address: string; id: string }>;
              first_name?: string | null;
              id: string;
              image_url?: string | null;
              last_name?: string | null;
              primary_email_address_id?: string | null;
              updated_at: number;
              username?: string | null;
            };
            type: "user.created" | "user.updated";
          }
          | { data: { id: string }; type: "user.deleted" }
          | {
            data: {
              billing_date: number;
              charge_type: "checkout" | "recurring";
              created_at: number;
              failed_at?: number | null;
              failed_reason?: { code: string; decline_code?: string | null } | null;
              invoice_id: string;
              paid_at?: number | null;
              payer: {
                email?: string | null;
                first_name?: string | null;
                last_name?: string | null;
                user_id?: string | null;
              };
              payment_id: string;
              payment_source?: { card_type: string; last4: string } | null;
              statement_id: string;
              status: "pending" | "paid" | "failed";
              subscription_items: Array<{
                amount: {
                  amount: number;
                  amount_formatted: string;
                  currency: string;
                  currency_symbol: string;
                };
                period_end?: number | null;
                period_start: number;
                plan: {
                  amount: number;
                  currency: string;
                  id: string;
                  interval: number;
                  name: string;
                  period: string;
                  slug: string;
                };
                status: string;
              }>;
              totals: {
                grand_total: {
                  amount: number;
                  amount_formatted: string;
                  currency: string;
                  currency_symbol: string;
                };
                subtotal: {
                  amount: number;
                  amount_formatted: string;
                  currency: string;
                  currency_symbol: string;
                };
                tax_total: {
                  amount: number;
                  amount_formatted: string;
                  currency: string;
                  currency_symbol: string;
                };
              };
              updated_at: number;
            };
            type: "paymentAttempt.created" | "paymentAttempt.updated";
          };
      },
      null
    >;
  };
};
