/** What is put into a deployment beside the files of a sample. */

export const EVENT = 'users.behaviors.CustomEvent';

/** The catalog that a campaign speaks of, and an item of it. */
export const OFFERS = 'catalogs/offers/offers.jsonl';
export const TENT = { id: 'tent', title: 'Tent', url: 'https://shop.example.com/tent' };

/** An event that the campaign of episodes speaks of, now. */
export function watched(user: string) {
  const properties = { show: 'Harbour Lights', season: 2, episode: 9, language: 'en' };
  const time = Math.floor(Date.now() / 1000);
  return { event_type: EVENT, user_id: user, id: `by-hand-${user}`, time, name: 'episode_watched', properties };
}

/** What is known of a user, as it is on the stream: nothing. */
export function record(user: string): string {
  return JSON.stringify({ v: 1, user_id: user, event_type: EVENT, uploaded_at_ms: 1, events: [] });
}

/** A batch of the stream that Lambda gave up, as it writes one. */
export function givenUp(...records: string[]): string {
  const all = records.map((each, at) => ({
    kinesis: { partitionKey: `${at}`, sequenceNumber: `${at}`, data: Buffer.from(each).toString('base64') },
  }));
  return JSON.stringify({ payload: JSON.stringify({ Records: all }) });
}
