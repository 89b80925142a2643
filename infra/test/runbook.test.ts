import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const RUNBOOK = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');

const TIME = '2026-01-01T00:00:00.000Z';

/** A line of one of Lambda's own events, as its JSON format has them. */
function platform(type: string, record: Record<string, unknown>): string {
  return JSON.stringify({ time: TIME, type: `platform.${type}`, record });
}

/** A line of a program, as its JSON format has them. */
function line(level: string, fields: Record<string, unknown>): string {
  return JSON.stringify({ level, fields, span: { requestId: 'r', name: 'Lambda runtime invoke' } });
}

/** What somebody who looks for faults must see. */
const FAULTS: Record<string, string> = {
  'a start that failed': line('ERROR', { message: 'does not start', error: 'invalid settings: X' }),
  'a panic': line('ERROR', { message: 'panicked', place: 'src/a.rs:1:2' }),
  'a warning': line('WARN', { message: 'records go back', reason: 'throttled' }),
  'a time-out': platform('report', { requestId: 'r', metrics: { durationMs: 90_000 }, status: 'timeout' }),
  'a time-out, when it ends': platform('runtimeDone', { requestId: 'r', status: 'timeout' }),
  'a time-out in the older words': `${TIME} 8476a536 Task timed out after 90.00 seconds`,
  'a time-out in the newer words': 'REPORT RequestId: 8476a536\tDuration: 90000.00 ms\tStatus: timeout',
  'a start that took too long': platform('initReport', { phase: 'init', status: 'timeout' }),
  'memory used up': platform('report', { status: 'error', errorType: 'Runtime.OutOfMemory' }),
  'memory used up in words': 'REPORT RequestId: 8476a536\tStatus: error\tError Type: Runtime.OutOfMemory',
  'a process that ended': platform('initReport', { status: 'error', errorType: 'Runtime.ExitError' }),
  'an invocation that failed': platform('report', { requestId: 'r', status: 'failure' }),
  'no memory for one thing': 'memory allocation of 1073741824 bytes failed',
  'a stack that is too deep': "thread 'main' has overflowed its stack",
  'a panic before the log is there': "thread 'main' panicked at src/main.rs:1:2:",
  'a C library that is too old':
    "/var/task/bootstrap: /lib64/libc.so.6: version `GLIBC_2.38' not found (required by bootstrap)",
  'a program for other processors': 'fork/exec /var/task/bootstrap: exec format error',
};

const NO_FAULTS: Record<string, string> = {
  'an invocation': line('INFO', { message: 'invocation done', counts: '{"calls_failed":2,"events_errors":0}' }),
  "Lambda's report of it": platform('report', { requestId: 'r', status: 'success' }),
  'the start of one': platform('initStart', { functionName: 'ingest', phase: 'init', runtimeVersion: 'v1' }),
  'the end of a start': platform('initReport', { phase: 'init', status: 'success' }),
};

const [, pattern = ''] = /--filter-pattern '%([^'%]*)%'/.exec(RUNBOOK) ?? [];

test.each(Object.entries(FAULTS))("the runbook's filter shows %s", (_, text) => {
  expect(pattern).not.toBe('');
  expect(text).toMatch(new RegExp(pattern));
});

test.each(Object.entries(NO_FAULTS))("the runbook's filter leaves %s out", (_, text) => {
  expect(text).not.toMatch(new RegExp(pattern));
});

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/regex-expressions.html
test('the filter is a regular expression as CloudWatch has them: no brackets, blanks or quotes', () => {
  expect(pattern).toMatch(/^[A-Za-z0-9:_#=@/;,^$?[\]{}|\\*+.-]+$/);
  expect(pattern.length).toBeLessThanOrEqual(1024 - 2);
});

test.each([
  'Model use case details have not been submitted for this account',
  'You have not filled out the required use-case form',
  'aws-marketplace:Subscribe',
  'INVALID_PAYMENT_INSTRUMENT',
])('what Amazon Bedrock says to an account that is not set up is explained: %s', (said) => {
  const [, chapter = ''] = /\n#### not-allowed\n([\s\S]*?)\n## /.exec(RUNBOOK) ?? [];

  expect(chapter.replaceAll(/\s+/g, ' ')).toContain(said);
});
