import { useQuery } from "convex/react";
import { api } from "../backend/_generated/api";
import { DATE, money } from "./format";

export function Summary() {
  const summary = useQuery(api.payments.summary);
  if (summary === undefined) return <div className="tiles" aria-busy="true" />;
  const { latest, failed, pending } = summary;
  const paid = Object.entries(summary.paid).map(([currency, amount]) => money(amount, currency));
  const open = [pending > 0 ? `${pending} pending` : "", failed > 0 ? `${failed} failed` : ""];
  return (
    <dl className="tiles" aria-label="At a glance">
      <div className="card">
        <dt>Your plan</dt>
        <dd>{latest?.plan ?? "None yet"}</dd>
        <dd className="faint">
          {latest === null
            ? "Choose one below."
            : latest.ends_at === null
              ? "Without end"
              : `Paid until ${DATE.format(latest.ends_at)}`}
        </dd>
      </div>
      <div className="card">
        <dt>Paid so far</dt>
        <dd>{paid.length === 0 ? "Nothing" : paid.join(", ")}</dd>
        <dd className="faint">{summary.attempts === 1 ? "1 payment" : `${summary.attempts} payments`}</dd>
      </div>
      <div className="card">
        <dt>Needs a look</dt>
        <dd>{pending + failed === 0 ? "All settled" : open.filter(Boolean).join(", ")}</dd>
        <dd className="faint">{failed > 0 ? "Try another card." : "Nothing to do."}</dd>
      </div>
    </dl>
  );
}
