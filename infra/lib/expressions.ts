import type { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';

import { PERIOD } from './alarms.js';

/** What a rate is made of. */
export interface Share {
  readonly label: string;
  readonly bad: cloudwatch.IMetric;
  /** All of them, the bad ones too. */
  readonly all: cloudwatch.IMetric;
  /** Fewer bad ones in a period are single events, and no rate. */
  readonly least: number;
  readonly period?: Duration;
}

/**
 * The share of all that is bad, from the least number of bad ones on; before that it is 0. Where nothing
 * of all was measured, as of a stream that gets no record, what is bad is all that there is: a quotient of
 * nothing has no value, and an alarm takes no value for no fault.
 */
export function share({ label, bad, all, least, period = PERIOD }: Share): cloudwatch.MathExpression {
  return new cloudwatch.MathExpression({
    expression: `IF(bad >= ${least}, bad / MAX([bad, FILL(all, 0)]), 0)`,
    label,
    period,
    usingMetrics: { bad, all },
  });
}

/** Several numbers of things, of which not each is there. */
export function sum(parts: readonly cloudwatch.IMetric[]): cloudwatch.MathExpression {
  const { filled, named } = several('part', parts);
  return new cloudwatch.MathExpression({
    expression: filled.join(' + '),
    label: 'together',
    period: PERIOD,
    usingMetrics: named,
  });
}

/** All of them but these. */
export function without(all: cloudwatch.IMetric, these: cloudwatch.IMetric): cloudwatch.MathExpression {
  return new cloudwatch.MathExpression({
    expression: 'FILL(all, 0) - FILL(these, 0)',
    label: 'others',
    period: PERIOD,
    usingMetrics: { all, these },
  });
}

/** 1 in periods in which something comes and nothing follows from it, and 0 in others. */
export function unfollowed(comes: cloudwatch.IMetric, follows: cloudwatch.IMetric): cloudwatch.MathExpression {
  return new cloudwatch.MathExpression({
    expression: 'IF(comes > 0 AND FILL(follows, 0) < 1, 1, 0)',
    label: 'nothing follows',
    period: PERIOD,
    usingMetrics: { comes, follows },
  });
}

/** By how much a number of things that lie somewhere grew since the period before. */
export function growth(lying: cloudwatch.IMetric): cloudwatch.MathExpression {
  return new cloudwatch.MathExpression({
    expression: 'DIFF(FILL(lying, 0))',
    label: 'new',
    period: PERIOD,
    usingMetrics: { lying },
  });
}

/** The oldest message of several queues. */
export function oldest(ages: readonly cloudwatch.IMetric[]): cloudwatch.MathExpression {
  const { filled, named } = several('age', ages);
  return new cloudwatch.MathExpression({
    expression: `MAX([${filled}])`,
    label: 'oldest',
    period: PERIOD,
    usingMetrics: named,
  });
}

/** Metrics with names to count with, each 0 where it was not measured. */
function several(name: string, metrics: readonly cloudwatch.IMetric[]) {
  const named = Object.fromEntries(metrics.map((metric, at) => [`${name}_${at}`, metric]));
  return { filled: Object.keys(named).map((each) => `FILL(${each}, 0)`), named };
}
