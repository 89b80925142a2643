import { setTimeout } from 'node:timers/promises';

/** Longest wait for one thing: far more than it takes, so that only what never comes fails. */
const LONGEST_MS = 300_000;

const PAUSE_MS = 250;

/** Asks again and again until there is an answer; throws with `what` was waited for if none comes. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + LONGEST_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) {
      return answer;
    }
    if (Date.now() > end) {
      throw new Error(`in ${LONGEST_MS / 1000} seconds this did not happen: ${what}`);
    }
    await setTimeout(PAUSE_MS);
  }
}
