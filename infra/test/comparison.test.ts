import { expect, test } from 'vitest';

import requests from '../../contract/golden/requests.json' with { type: 'json' };
import { needless, unlisted, unseen } from './deployment/comparison.js';
import { NEVER_SEEN, NOT_MISSED, SELDOM_SEEN } from './deployment/excuses.js';
import type { Listed } from './deployment/recorded.js';

const LISTED: Listed = requests;

test('what is seen must be listed, but for what rolls back, which is no program with a list', () => {
  const seen: Listed = {
    api: { 'dynamodb:GetItem': ['catalogs', 'content'], 'dynamodb:Scan': ['content'] },
    rollback: { 'lambda:GetAlias': ['functions'] },
  };

  expect(unlisted(seen, LISTED)).toEqual(['api dynamodb:GetItem catalogs', 'api dynamodb:Scan content']);
});

test('what is listed must be seen or excused', () => {
  const { api: _, ...others } = LISTED;

  expect(unseen(LISTED, LISTED)).toEqual([]);
  expect(unseen(others, LISTED)).toContain('api dynamodb:GetItem content');
  expect(unseen({}, LISTED)).not.toContain('ingest sqs:SendMessage uploads');
});

test('an excuse is for what is listed, and what is never seen is not', () => {
  const [[program, operation, kind] = []] = NEVER_SEEN;

  expect(needless({}, LISTED)).toEqual([]);
  expect(needless({ [program ?? '']: { [operation ?? '']: [kind ?? ''] } }, LISTED)).toEqual([
    `${program} ${operation} ${kind}`,
  ]);
  expect(needless({}, {})).toHaveLength(NEVER_SEEN.length + SELDOM_SEEN.length);
});

test('every excuse has a reason', () => {
  const reasons = [...NEVER_SEEN, ...SELDOM_SEEN, ...NOT_MISSED].map(([, , , reason]) => reason);

  expect(reasons.filter((reason) => !/\w+ \w+/.test(reason))).toEqual([]);
});
