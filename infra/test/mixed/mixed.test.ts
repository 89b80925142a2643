import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { deploy, gatherCampaigns } from '../deployment/deployment.js';
import { Emulator } from '../deployment/emulator.js';
import { Operator } from '../deployment/ops.js';
import { type Sample, sample } from '../deployment/sample.js';
import { until } from '../deployment/until.js';
import { Model } from './model.js';
import { Outside } from './outside.js';
import { Programs, type Revision, Revisions, TREE } from './revisions.js';

const ASKS = /-Asks/;

/** How often a worker looks for asks: the clock's minute is long for a test. */
const LOOKS_MS = 5_000;

const folder = mkdtempSync(join(tmpdir(), 'mixed-'));
let emulator: Emulator | undefined;
let model: Model | undefined;
let operator: Operator;
let outside: Outside;
let revisions: Revisions;
let looks: NodeJS.Timeout | undefined;

beforeAll(async () => {
  model = await Model.start(folder);
  emulator = await Emulator.start(folder);
  const programs = new Programs(join(folder, 'revisions'));
  const outputs = await deploy(emulator, folder, (name) => programs.starter(name));
  operator = await Operator.of(emulator);
  outside = await Outside.of(emulator, outputs);
  // What the older of the two understands.
  const those = [join(TREE, 'campaign/tests/campaigns'), join(TREE, 'processor/tests/grounded')] as const;
  const campaigns = gatherCampaigns(join(folder, 'understood'), those);
  revisions = await Revisions.publish([emulator, operator], programs, {
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME: model.url,
    CAMPAIGNS_DIR: campaigns,
    CAMPAIGNS_FOLLOW_SECS: '1',
  });
  await operator.ops('campaigns', 'publish', '--campaigns', campaigns, '--unknown-events', '--yes');
  await operator.ops('campaigns', 'pause', 'greeting', '--serve-fallback', '--yes');
  const items = ['tent', 'lamp', 'rope'].map((id) => JSON.stringify({ id, title: id, url: shop(id) }));
  await outside.put('catalogs/offers/offers.jsonl', `${items.join('\n')}\n`);
  await outside.read();
  // One that cannot be started now is started the next time.
  looks = setInterval(() => revisions.work().catch(() => {}), LOOKS_MS);
});

afterAll(async () => {
  clearInterval(looks);
  await emulator?.stop();
  await model?.stop();
  rmSync(folder, { recursive: true, maxRetries: 3 });
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') {
    console.error(emulator?.said());
  }
});

describe.each<[Revision, Revision, number]>([
  ['base', 'today', 1],
  ['today', 'base', 2],
])('%s, and then %s', (before, after, seed) => {
  /** What all of them are called, so that their prompts are alike, and are nobody else's. */
  const name = `U${seed}`;
  /** One of this time's users. */
  const user = (n: number) => `5f1a0c9e7d3b2a46${seed}${String(n).padStart(7, '0')}`;
  let files: Sample;
  let deleted: string;
  let kept: readonly string[];

  beforeAll(async () => {
    files = await sample(join(folder, `files-${seed}`), seed);
    const [first, ...rest] = files.viewers;
    [deleted, kept] = [first ?? '', rest];
    expect(kept.length).toBeGreaterThan(1);
  });

  test('what one leaves half done, and puts on the stream, the other brings to its end', async () => {
    await revisions.run(all(before));
    await outside.wish(user(1), 'tent', name);
    await outside.own(user(1), 'offer');
    model!.lose();
    await outside.wish(user(2), 'lamp', name);
    await parked(user(2), 'lamp');
    await outside.wish(user(2), 'rope', name);
    await parked(user(2), 'rope');
    await outside.wish(user(3), 'rope', name);
    await parked(user(3), 'rope');
    await revisions.run({ ingest: before, processor: after, api: before });

    // The answer to the same prompt is there, though nobody can be asked.
    await outside.wish(user(4), 'tent', name);
    expect((await outside.own(user(4), 'offer')).url.S).toBe(shop('tent'));

    model!.regain();
    await outside.upload(files);
    for (const viewer of files.viewers) {
      expect((await outside.own(viewer, 'new-episode')).heading.S).toMatch(/^\[stand-in\] /);
    }
    expect(await stored(kept[0] ?? '', 'new-episode')).toMatchObject({ publication: 1 });

    await revisions.run(all(after));
    for (const each of [user(2), user(3)]) {
      expect((await outside.own(each, 'offer')).url.S).toBe(shop('rope'));
    }
    expect(model!.callsWith(`rope, for ${name}`)).toBe(1);
    expect(model!.callsWith(`tent, for ${name}`)).toBe(1);
    expect((await history(user(2))).map(({ fields }) => fields.properties.id)).toEqual(['lamp', 'rope']);
  });

  test('what one has done the other does not do again, and whom one deleted the other does not bring back', async () => {
    await revisions.run(all(before));
    await operator.ops('erase', deleted, '--yes', '--evidence', join(folder, `evidence-${seed}.json`));
    const done = await Promise.all(kept.map((viewer) => stored(viewer, 'new-episode')));
    const calls = model!.calls;
    await revisions.run(all(after));

    await outside.upload(files);
    // What comes after it on the same shard says that it was taken.
    for (const viewer of kept) {
      await outside.wish(viewer, 'tent', name);
      await outside.own(viewer, 'offer');
    }

    expect(model!.calls - calls).toBe(0);
    expect(await Promise.all(kept.map((viewer) => stored(viewer, 'new-episode')))).toEqual(done);
    expect((await outside.lookUp(deleted, 'new-episode')).isOwn).toBe(false);
    expect(await operator.ops('show', deleted)).toMatch(/^deleted at .*: what happened before is refused$/m);
  });
});

test('nothing waits any more, and nothing was given up', async () => {
  await until('every notification and every ask was handled', async () =>
    (await outside.waiting(/^(?!.*(DeadLetters|GivenUp))/)) === 0 ? true : undefined,
  );

  expect(await outside.waiting(/DeadLetters|GivenUp/)).toBe(0);
  expect(await operator.ops('letters', 'list')).toBe('0 letters\n');
});

function all(revision: Revision) {
  return { ingest: revision, processor: revision, api: revision };
}

function shop(item: string): string {
  return `https://shop.example.com/${item}`;
}

/** What is stored of a user for a campaign. */
async function stored(user: string, campaign: string): Promise<any> {
  const shown = await operator.ops('show', user, '--json', '--values', '--campaign', campaign);
  return JSON.parse(shown).items[`content#${campaign}`];
}

async function history(user: string): Promise<any[]> {
  return JSON.parse((await stored(user, 'offer')).history);
}

/** Waits until a wish is remembered, and an ask for it is on its way. */
async function parked(user: string, item: string): Promise<void> {
  await until(`the ${item} of ${user} is parked`, async () => {
    const remembered = await history(user).catch(() => []);
    const isRemembered = remembered.at(-1)?.fields.properties.id === item;
    return isRemembered && (await outside.waiting(ASKS)) > 0 ? true : undefined;
  });
}
