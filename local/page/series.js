// What the charts are drawn from: the machine's samples, oldest first.

/** Longest time that is shown. */
export const SHOWN_MS = 5 * 60 * 1_000;

/** Shortest time between two samples whose difference is a rate. */
const SHORTEST_MS = 200;

/** Time over which a rate is taken: batches end together, and a shorter one would only jump. */
const RATE_MS = 5_000;

/** What the charts need of the metrics. */
export const sampled = (metrics) => ({
  at: metrics.uptime_ms,
  read: metrics.counts.events_read ?? 0,
  done: metrics.events_done,
  objects: metrics.backlog.objects,
  records: metrics.backlog.records,
  p50: metrics.freshness_ms.p50,
  p99: metrics.freshness_ms.p99,
  used: metrics.quota?.used_last_minute ?? 0,
  limit: metrics.quota?.tokens_per_minute ?? null,
  throttles: metrics.counts.throttles ?? 0,
  generations: metrics.counts.generations ?? 0,
});

export class Series {
  #samples = [];

  /** Adds a sample; one that is too close to the last is left out. */
  add(sample) {
    const last = this.#samples.at(-1);
    // The machine was started again: what was before belongs to another run.
    if (last && sample.at < last.at) this.#samples = [];
    else if (last && sample.at - last.at < SHORTEST_MS) return;
    this.#samples.push(sample);
    const from = sample.at - SHOWN_MS;
    while (this.#samples.length > 2 && this.#samples[1].at < from) this.#samples.shift();
  }

  get last() {
    return this.#samples.at(-1);
  }

  /** Points of what `value` says of each sample. */
  values(value) {
    return this.#samples.map((sample) => ({ at: sample.at, y: value(sample) ?? 0 }));
  }

  /** Points of how much a counter grew in a second, over the last seconds before each. */
  rates(counter) {
    let first = 0;
    return this.#samples.slice(1).map((sample, place) => {
      while (first < place && this.#samples[first + 1].at <= sample.at - RATE_MS) first += 1;
      const before = this.#samples[first];
      const grown = Math.max(0, counter(sample) - counter(before));
      return { at: sample.at, y: (grown * 1_000) / (sample.at - before.at) };
    });
  }
}
