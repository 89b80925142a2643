import { CLASSES, modelsOf } from '../asks.js';
import type { AskedOfBedrock } from '../campaigns.js';
import type { Environment } from '../environments.js';
import { asSetting } from '../model-quotas.js';
import type { Fault } from './fault.js';

/**
 * What a function's environment may hold in all, measured as JSON with its names, where the
 * quotes of what is JSON itself count as two characters. AWS does not raise it.
 */
const MOST_BYTES = 4096;

/** The longest address of a queue: of the region with the longest name, and of SQS' longest name. */
const URL = `https://sqs.ap-northeast-1.amazonaws.com.cn/111122223333/${'n'.repeat(80)}`;

/** Stands for the names and addresses of tables and the other queue, and for the other settings. */
const OTHERS = {
  CAMPAIGNS_DIR: 'campaigns',
  CONTENT_TABLE: 'n'.repeat(80),
  COORDINATION_TABLE: 'n'.repeat(80),
  DEAD_LETTER_QUEUE_URL: URL,
  MAX_CONCURRENT_GENERATIONS: '9999',
  MAX_INSTANCES: '9999',
};

/** A quota of which only the deployment learns how large it is. */
const LARGE_QUOTA = 1_000_000_000_000;

/** Whether the addresses of all queues of asks find room in the environment of the functions. */
export function ofAsks(settings: Environment, asked: AskedOfBedrock): Fault[] {
  const models = modelsOf(asked, settings);
  const bytes = environmentBytes(settings, models);
  const fitting = models.findIndex((_, n) => environmentBytes(settings, models.slice(0, n + 1)) > MOST_BYTES);
  const former = (settings.asks.formerModels ?? []).length;
  return [
    [
      'asks',
      bytes > MOST_BYTES,
      `the addresses of the queues of ${models.length} models, ${former} of them in asks.formerModels, make an environment of some ${bytes} bytes, of which Lambda takes ${MOST_BYTES}; ${fitting} models find room: let campaigns share models, leave out what is empty of asks.formerModels, or part the campaigns over two stages`,
    ],
    [
      'asks.formerModels',
      (settings.asks.formerModels ?? []).some((model) => model === ''),
      'are models or inference profiles, as campaigns named them',
    ],
  ];
}

/** What the environment of the program `processor` takes at most. */
function environmentBytes({ processor }: Environment, models: readonly string[]): number {
  const urls = Object.fromEntries(CLASSES.map((each) => [each, URL]));
  const quotas = asSetting(processor.modelQuotas, (quota) =>
    typeof quota === 'object' ? LARGE_QUOTA : quota,
  );
  const environment = {
    ...OTHERS,
    ASK_QUEUES: JSON.stringify({
      later: URL,
      ready: Object.fromEntries(models.map((model) => [model, urls])),
    }),
    MODEL_QUOTAS: JSON.stringify(quotas),
  };
  return Buffer.byteLength(JSON.stringify(environment));
}
