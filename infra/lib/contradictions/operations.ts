import { RetentionDays } from 'aws-cdk-lib/aws-logs';

import { LONGEST_RETENTION } from '../dead-letters.js';
import type { Environment } from '../environments.js';
import { maxRecordAgeHours } from '../processor.js';
import { type Fault, oneOf, REGION, within } from './fault.js';

/** What stands for logs that never end. */
const FOREVER: number = RetentionDays.INFINITE;

/** Braze gives a look-up up after so long. */
const BRAZE_WAITS_MILLIS = 2000;

/** Where the stage is, how long its logs stay, and who hears of what. */
export function ofOperations(settings: Environment): Fault[] {
  const { account, alarms, architecture, logRetentionDays, processor, production, region, stream } =
    settings;
  const kept = Object.values(RetentionDays).filter((days) => typeof days === 'number');
  const longestHours = maxRecordAgeHours(stream.retentionDays);
  return [
    ['account', account !== undefined && !/^\d{12}$/.test(account), 'has twelve digits'],
    ['region', region !== undefined && !REGION.test(region), "is a region's name, e.g. eu-central-1"],
    oneOf('architecture', architecture, ['x86_64', 'arm64']),
    [
      'logRetentionDays',
      !kept.includes(logRetentionDays),
      `CloudWatch keeps logs ${kept.filter((days) => days !== FOREVER).join(', ')} days, or for ever with ${FOREVER}`,
    ],
    [
      'alarms.email',
      production && alarms.email === undefined,
      'production needs somebody whom alarms reach: name an address that is read at night too',
    ],
    [
      'alarms.email',
      alarms.email !== undefined && !/^[^@\s]+@[^@\s]+$/.test(alarms.email),
      'is an address; leave it out to see alarms on the dashboard only',
    ],
    [
      'alarms.runbookUrl',
      !/^\S+$/.test(alarms.runbookUrl),
      'says where docs/runbook.md can be read, without blanks: links in alarms begin with it',
    ],
    [
      'alarms.iteratorAgeMinutes',
      !within(alarms.iteratorAgeMinutes, 1, Number.MAX_SAFE_INTEGER),
      'is a minute at least',
    ],
    [
      'alarms.iteratorAgeMinutes',
      stream.retentionDays >= 1 && alarms.iteratorAgeMinutes >= longestHours * 60,
      `it would ring when records are given up already, after ${longestHours} h, which stream.retentionDays leads to: set it lower`,
    ],
    [
      'alarms.iteratorAgeMinutes',
      alarms.iteratorAgeMinutes >= 1 && alarms.iteratorAgeMinutes * 60 <= processor.batchWindowSeconds,
      `it would ring while a batch waits for its records, which processor.batchWindowSeconds lets it for ${processor.batchWindowSeconds} s: set it higher`,
    ],
    [
      'alarms.askAgeHours',
      !within(alarms.askAgeHours, 1, LONGEST_RETENTION.toHours() - 1),
      `is an hour at least, and less than the ${LONGEST_RETENTION.toHours()} h after which SQS drops an ask`,
    ],
    [
      'alarms.lookUpMillis',
      !within(alarms.lookUpMillis, 1, BRAZE_WAITS_MILLIS),
      `Braze gives up after ${BRAZE_WAITS_MILLIS} ms, so a later alarm is none`,
    ],
  ];
}
