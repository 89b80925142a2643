import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as logs from 'aws-cdk-lib/aws-logs';

import type { Environment } from '../environments.js';
import type { Program } from '../program.js';

/** Where events are posted, below the address of look-ups: they have a function of their own. */
export const POSTS = 'events';

export interface FrontProps {
  readonly environment: Environment;
  /** Answers look-ups, and all calls that are no posts. */
  readonly program: Program;
}

/**
 * What stands between who calls the api and its functions. It is no construct of its own, but stands in the
 * api's: moved elsewhere, a gateway would be another one for CloudFormation, at another address.
 */
export interface Front {
  /** Where look-ups go, as Braze is told. */
  readonly address: string;
  /** The same with a slash at its end. */
  readonly url: string;
  readonly lookUps: LookUps;
  /** A line for each call; none where it would hold the address that was called, and in it the user's id. */
  readonly accessLog?: logs.LogGroup;
  /** Leads posts to the function that takes them. */
  take(posts: lambda.Alias): Posts;
}

/** What the front counts of look-ups, and of no post. */
export interface LookUps {
  readonly count: cloudwatch.IMetric;
  /** Answers that say that the server did wrong. */
  readonly failed: cloudwatch.IMetric;
  /** Answers that say that the caller did wrong, but for users without content. */
  readonly refused: cloudwatch.IMetric;
  /** Count and failures for a graph, as they were measured: with posts where the front does not tell them apart. */
  readonly measured: Readonly<Record<'count' | 'failed', cloudwatch.Metric | cloudwatch.MathExpression>>;
  /** A metric by itself: an alarm looks whether a percentile is of enough only where nothing is computed. */
  latency(statistic: string): cloudwatch.Metric;
  readonly latencyUnit: 'ms' | 's';
}

export interface Posts {
  readonly url: string;
  readonly count: cloudwatch.Metric;
}

/** A setting of the api that the front has for certain: what lacks it is refused before (`contradictions/front.ts`). */
export function certain<T>(name: string, setting: T | undefined): T {
  if (setting === undefined) {
    throw new Error(`api.${name} is missing, and the front cannot do without it`);
  }
  return setting;
}
