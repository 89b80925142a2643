import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';

import { PERIOD } from '../alarms.js';
import type { Environment } from '../environments.js';
import type { Program } from '../program.js';

/** What a front counts of look-ups under a name: all that it counts, less the posts. */
export function lessPosts(
  metricName: string,
  counted: { readonly all: cloudwatch.IMetric; readonly posts: cloudwatch.IMetric },
  label = metricName,
): cloudwatch.MathExpression {
  // No name may stand for two metrics of one alarm.
  const [all, posts] = [`all_${metricName}`, `posts_${metricName}`];
  return new cloudwatch.MathExpression({
    expression: `${all} - FILL(${posts}, 0)`,
    label,
    period: PERIOD,
    usingMetrics: { [all]: counted.all, [posts]: counted.posts },
  });
}

/**
 * Of a front without an access log: its own count, as long as a 404 is a fault. Where users without
 * content get one, the program has counted those, up to ten seconds late.
 */
export function lessUnknownUsers(
  refused: cloudwatch.Metric,
  { api }: Environment,
  program: Program,
): cloudwatch.IMetric {
  if (api.unknownUser === 'fallback') {
    return refused.with({ label: 'refused' });
  }
  return new cloudwatch.MathExpression({
    expression: 'any_refused - FILL(without_content, 0)',
    label: 'refused',
    period: PERIOD,
    usingMetrics: { any_refused: refused, without_content: program.measured('calls_without_content') },
  });
}
