/** How long a message lasts, as the functions that send one want it: nothing in it is for good. */
export type Lifetime = { disappear_after?: number };

const CHOICES: [label: string, seconds: number][] = [
  ["10 s", 10],
  ["1 min", 60],
  ["1 h", 3600],
  ["1 day", 86_400],
];

type Props = { lifetime: Lifetime; onChoose: (lifetime: Lifetime) => void };

export function LifetimeChoice({ lifetime, onChoose }: Props) {
  return (
    <select
      className="lifetime"
      aria-label="Disappears after"
      title="How long your messages last"
      data-chosen={lifetime.disappear_after !== undefined}
      value={lifetime.disappear_after ?? ""}
      onChange={(event) => {
        const seconds = event.target.value;
        onChoose(seconds === "" ? {} : { disappear_after: Number(seconds) });
      }}
    >
      <option value="">Stays</option>
      {CHOICES.map(([label, seconds]) => (
        <option key={seconds} value={seconds}>
          Gone in {label}
        </option>
      ))}
    </select>
  );
}
