import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';

import { PERIOD } from '../alarms.js';

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
