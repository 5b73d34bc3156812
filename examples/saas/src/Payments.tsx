import { usePaginatedQuery } from "convex/react";
import { api } from "../backend/_generated/api";
import type { Doc } from "../backend/_generated/dataModel";
import { DATE } from "./format";

const PAGE = 5;
const REASONS = { checkout: "Checkout", recurring: "Renewal" };
const STATUSES = { pending: "Pending", paid: "Paid", failed: "Failed" };

export function Payments() {
  const { results, status, loadMore } = usePaginatedQuery(api.payments.mine, {}, { initialNumItems: PAGE });
  if (status === "LoadingFirstPage")
    return (
      <p role="status" className="faint">
        Loading payments…
      </p>
    );
  if (results.length === 0)
    return (
      <p className="card empty faint">
        No payments yet. When you buy a plan, the payment shows up here by itself.
      </p>
    );
  return (
    <>
      <ul className="payments card">
        {results.map((payment) => (
          <Payment key={payment._id} payment={payment} />
        ))}
      </ul>
      {status !== "Exhausted" && (
        <button type="button" className="more" disabled={status === "LoadingMore"} onClick={() => loadMore(PAGE)}>
          {status === "LoadingMore" ? "Loading…" : "Load more"}
        </button>
      )}
    </>
  );
}

function Payment({ payment }: { payment: Doc<"payment_attempts"> }) {
  const { card, failure } = payment;
  return (
    <li>
      <span className="what">
        <strong>{payment.items.map((item) => item.plan).join(", ") || "Payment"}</strong>
        <small>
          {REASONS[payment.reason]}
          {card !== null && `, ${card.brand} ending in ${card.last_digits}`}
        </small>
        {failure !== null && <small className="problem">{(failure.decline_code ?? failure.code).replaceAll("_", " ")}</small>}
      </span>
      <time dateTime={new Date(payment.billed_at).toISOString()}>{DATE.format(payment.billed_at)}</time>
      <span className="status" data-status={payment.status}>
        {STATUSES[payment.status]}
      </span>
      <span className="amount">{payment.total.text}</span>
    </li>
  );
}
