export const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** An amount in the smallest unit of its currency, as people write it. */
export function money(amount: number, currency: string): string {
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}
