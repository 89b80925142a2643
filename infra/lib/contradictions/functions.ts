import { MOST_WORKERS } from '../asks-worker.js';
import type { Environment } from '../environments.js';
import { type Fault, oneOf, within } from './fault.js';

/** What ingest takes beside the blocks that it holds, in MiB. */
const BESIDE_BLOCKS_MIB = 128;

/** Lambda and its event sources take no other numbers. */
export function ofFunctions({ api, asks, campaigns, ingest, processor }: Environment): Fault[] {
  const blocks = 2 * ingest.maxBlockMiB + BESIDE_BLOCKS_MIB;
  const range = (setting: string, value: number, least: number, most: number, is: string): Fault => [
    setting,
    !within(value, least, most),
    `${is} ${least} to ${most}`,
  ];
  const memory = Object.entries({ ingest, processor, api }).map(([name, { memoryMiB }]) =>
    range(`${name}.memoryMiB`, memoryMiB, 128, 10_240, 'MiB of a function are'),
  );
  const most = Number.MAX_SAFE_INTEGER;
  return [
    ...memory,
    range('ingest.doorMemoryMiB', ingest.doorMemoryMiB, 128, 10_240, 'MiB of a function are'),
    ['ingest.doorMaxInstances', !within(ingest.doorMaxInstances, 1, most), 'at least one instance must run'],
    range('ingest.maxConcurrency', ingest.maxConcurrency, 2, 1000, 'instances that SQS feeds are'),
    ['ingest.maxBlockMiB', !within(ingest.maxBlockMiB, 1, 65_535), 'is a MiB at least'],
    [
      'ingest.maxBlockMiB',
      within(ingest.memoryMiB, 128, 10_240) && ingest.memoryMiB < blocks,
      `an instance holds two blocks beside the program: raise ingest.memoryMiB to ${blocks} or more, or lower it`,
    ],
    ['processor.maxInstances', !within(processor.maxInstances, 1, most), 'at least one instance must run'],
    [
      'processor.maxConcurrentGenerations',
      !within(processor.maxConcurrentGenerations, 1, most),
      'at least one call of the model must be allowed',
    ],
    oneOf('processor.contentForm', processor.contentForm, ['plain', 'compact']),
    range('campaigns.followSeconds', campaigns.followSeconds, 1, 300, 'seconds between two looks are'),
    range('processor.batchSize', processor.batchSize, 1, 10_000, 'records of a batch are'),
    range('processor.batchWindowSeconds', processor.batchWindowSeconds, 0, 300, 'seconds that Lambda waits for a batch are'),
    range(
      'asks.maxInstances',
      asks.maxInstances,
      1,
      MOST_WORKERS,
      'one worker starts each minute and works five at most, so workers at a time are',
    ),
  ];
}
