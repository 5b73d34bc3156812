import { useEffect, useState } from "react";

/** How long a message still has. The server takes it away; this only tells, by the clock of this machine. */
export function Countdown({ until, whole }: { until: number; whole: number }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  // A clock that is wrong must not promise more time than the message was given.
  const seconds = Math.ceil(Math.min(Math.max(until - now, 0), whole) / 1000);
  return <span className="countdown">gone in {inWords(seconds)}</span>;
}

function inWords(seconds: number): string {
  if (seconds > 7200) return `${Math.ceil(seconds / 3600)} h`;
  if (seconds > 120) return `${Math.ceil(seconds / 60)} min`;
  return `${seconds} s`;
}
