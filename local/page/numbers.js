// Writes numbers, times and durations for a person.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const timeOfDay = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

export const count = (n) => whole.format(n ?? 0);

/** US dollars, of which a run takes parts of a cent. */
export const dollars = (usd) => `$${usd.toFixed(usd < 1 ? 5 : 2)}`;

/** At most four digits, for places with little room. */
export const brief = (n) => (n < 10 ? String(Math.round(n * 10) / 10) : short.format(n));

export const duration = (ms) => {
  if (ms < 1_000) return `${whole.format(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = Math.floor((ms % 60_000) / 1_000);
  return minutes < 60 ? `${minutes} min ${seconds} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

/** The time of day of a moment in milliseconds. */
export const clockTime = (ms) => timeOfDay.format(ms);

/** A moment in UNIX seconds. */
export const moment = (secs) => (secs === null || secs === undefined ? "–" : clock.format(secs * 1_000));
