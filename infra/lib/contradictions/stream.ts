import type { Environment } from '../environments.js';
import { type Fault, oneOf, within } from './fault.js';

/** A new on-demand stream has so many, and never fewer. */
const SHARDS_ON_DEMAND = 4;

/** How long records stay, and into how many batches they can be parted. */
export function ofStream({ ingest, processor, stream }: Environment): Fault[] {
  const { maxInstances, parallelizationFactor: factor } = processor;
  const shards = stream.shards ?? SHARDS_ON_DEMAND;
  const batches = shards * factor;
  return [
    ['stream.retentionDays', !within(stream.retentionDays, 1, 365), 'Kinesis keeps records 1 to 365 days'],
    [
      'stream.shards',
      stream.shards !== undefined && !within(stream.shards, 1, 10_000),
      'a stream has at least one shard; leave it out for an on-demand stream',
    ],
    oneOf('ingest.streamFormat', ingest.streamFormat, ['kpl', 'zstd']),
    [
      'ingest.streamBuckets',
      !within(ingest.streamBuckets, 1, 65_535) || ingest.streamBuckets < batches,
      `${ingest.streamBuckets} groups of users cannot fill ${batches} batches at a time: set it to ${batches} or more, 65535 at most`,
    ],
    [
      'processor.parallelizationFactor',
      !within(factor, 1, 10),
      'Lambda works on 1 to 10 batches of a shard at a time',
    ],
    [
      'processor.parallelizationFactor',
      maxInstances >= 1 && batches > maxInstances,
      `${factor} batches of one shard at a time, of ${shards} shards, need ${batches} instances, and processor.maxInstances is ${maxInstances}: the others would wait and ring; lower it, or raise maxInstances`,
    ],
  ];
}
