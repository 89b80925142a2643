import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { PROD } from './example.js';

test('bills are told of functions, files and a stream as prod has them', () => {
  const deployed = JSON.parse(readFileSync(join(import.meta.dirname, '../../bill/deployed.json'), 'utf8'));

  expect(deployed).toEqual({
    memory_mib: {
      api: PROD.api.memoryMiB,
      'asks-worker': PROD.processor.memoryMiB,
      'events-door': PROD.ingest.doorMemoryMiB,
      ingest: PROD.ingest.memoryMiB,
      processor: PROD.processor.memoryMiB,
    },
    object_days: PROD.currents.retentionDays,
    stream_days: PROD.stream.retentionDays,
  });
});
