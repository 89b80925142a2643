import { RetentionDays } from 'aws-cdk-lib/aws-logs';

import { LONGEST_RETENTION, OLD } from '../dead-letters.js';
import type { Environment } from '../environments.js';
import { maxRecordAgeHours } from '../processor.js';
import { type Fault, oneOf, REGION, within } from './fault.js';

/** What stands for logs that never end. */
const FOREVER: number = RetentionDays.INFINITE;

/** Braze gives a look-up up after so long. */
const BRAZE_WAITS_MILLIS = 2000;

/** Longest that CloudWatch looks back, with periods of an hour. */
const LONGEST_SILENCE_HOURS = 7 * 24;

const ADDRESS = /^[^@\s]+@[^@\s]+$/;

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
      alarms.email !== undefined && !ADDRESS.test(alarms.email),
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
      !within(alarms.askAgeHours, 1, OLD.toHours() - 1),
      `is an hour at least, and less than the ${OLD.toHours()} h after which somebody is woken, before SQS drops an ask at ${LONGEST_RETENTION.toHours()} h`,
    ],
    [
      'alarms.lookUpMillis',
      !within(alarms.lookUpMillis, 1, BRAZE_WAITS_MILLIS),
      `Braze gives up after ${BRAZE_WAITS_MILLIS} ms, so a later alarm is none`,
    ],
    [
      'alarms.distinctPrompts',
      alarms.distinctPrompts !== undefined && !(alarms.distinctPrompts > 0 && alarms.distinctPrompts < 1),
      'is a share above 0 and below 1, from which on nothing could ring; leave it out where prompts are meant to differ',
    ],
    ...ofTickets(settings),
    ...ofSilence(settings),
  ];
}

/** What can wait until the morning: tickets, and money. */
function ofTickets({ alarms, budget }: Environment): Fault[] {
  return [
    [
      'alarms.ticketEmail',
      alarms.ticketEmail !== undefined && !ADDRESS.test(alarms.ticketEmail),
      'is an address; leave it out to send tickets where pages go',
    ],
    [
      'alarms.ticketEmail',
      alarms.ticketEmail !== undefined && alarms.email === undefined,
      'tickets would reach somebody and pages nobody: name alarms.email too',
    ],
    [
      'budget',
      budget !== undefined && alarms.email === undefined,
      'nobody would be told: name alarms.email, or leave the budget out',
    ],
    [
      'budget.monthlyUsd',
      budget !== undefined && !(budget.monthlyUsd > 0 && Number.isFinite(budget.monthlyUsd)),
      'is a number of US dollars above 0; leave the budget out for none',
    ],
    ...(budget === undefined ? [] : [oneOf('budget.of', budget.of, ['account', 'stack'])]),
  ];
}

/** Where silence is a fault. */
function ofSilence({ alarms }: Environment): Fault[] {
  return Object.entries(alarms.silenceHours).map(([door, hours]) => [
    `alarms.silenceHours.${door}`,
    hours !== undefined && !within(hours, 1, LONGEST_SILENCE_HOURS),
    `hours of silence are 1 to ${LONGEST_SILENCE_HOURS}, as far as CloudWatch looks back; leave it out where silence is no fault`,
  ]);
}
