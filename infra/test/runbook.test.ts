import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const RUNBOOK = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');

/** Lines of a function's log in JSON, as Lambda and the programs write them. */
const FAULTS = {
  'a start that failed': { level: 'ERROR', fields: { message: 'does not start', error: 'invalid settings: X' } },
  'a panic': { level: 'ERROR', fields: { message: 'panicked', place: 'src/a.rs:1:2' } },
  'a warning': { level: 'WARN', fields: { message: 'records go back' } },
  'a time-out': {
    time: '2026-01-01T00:00:00.000Z',
    type: 'platform.report',
    record: { requestId: 'r', status: 'timeout', metrics: { durationMs: 300_000 } },
  },
  'memory used up': {
    time: '2026-01-01T00:00:00.000Z',
    type: 'platform.report',
    record: { requestId: 'r', status: 'error', errorType: 'Runtime.OutOfMemory' },
  },
  'a process that ended': {
    time: '2026-01-01T00:00:00.000Z',
    type: 'platform.initReport',
    record: { status: 'error', errorType: 'Runtime.ExitError', phase: 'init' },
  },
};

const NO_FAULTS = {
  'an invocation': { level: 'INFO', fields: { message: 'invocation done' } },
  "Lambda's report of it": { type: 'platform.report', record: { requestId: 'r', status: 'success' } },
};

/** Tells whether CloudWatch's filter of alternatives, each a text, lets a line through. */
function passes(pattern: string, line: unknown): boolean {
  const alternatives = pattern.replace(/^\{|\}$/g, '').split('||');
  return alternatives.some((alternative) => {
    const [, path, value] = /^\s*\$((?:\.\w+)+) = "([^"]*)"\s*$/.exec(alternative) ?? [];
    if (path === undefined) {
      throw new Error(`not understood: ${alternative}`);
    }
    const found = path
      .slice(1)
      .split('.')
      .reduce<unknown>((of, name) => (of as Record<string, unknown> | undefined)?.[name], line);
    return found === value;
  });
}

const [, pattern] = /--filter-pattern '([^']*)'/.exec(RUNBOOK) ?? [];

test.each(Object.entries(FAULTS))("the runbook's filter shows %s", (_, line) => {
  expect(passes(pattern ?? '', line)).toBe(true);
});

test.each(Object.entries(NO_FAULTS))("the runbook's filter leaves %s out", (_, line) => {
  expect(passes(pattern ?? '', line)).toBe(false);
});
