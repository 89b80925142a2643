import { Stack } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';

import { PERIOD } from '../alarms.js';
import type { Environment } from '../environments.js';
import { keptIf } from '../removal.js';

/** Everything but the query and the path, which name users; `matched` is the kind of API's word for what was called. */
export function format(matched: '$context.resourcePath' | '$context.routeKey'): AccessLogFormat {
  return AccessLogFormat.custom(
    JSON.stringify({
      request: '$context.requestId',
      time: '$context.requestTimeEpoch',
      address: '$context.identity.sourceIp',
      method: '$context.httpMethod',
      resource: matched,
      status: '$context.status',
      latency_ms: '$context.responseLatency',
      function_ms: '$context.integration.latency',
      function_error: '$context.integration.error',
      bytes: '$context.responseLength',
    }),
  );
}

/** One line for each call. */
export function accessLog(scope: Construct, environment: Environment): logs.LogGroup {
  return new logs.LogGroup(scope, 'AccessLog', {
    retention: environment.logRetentionDays,
    removalPolicy: keptIf(environment.production),
  });
}

/**
 * Look-ups that are refused where users without content get a 404: a one for each of them and a zero
 * for each other. `posts` is what the log says was matched by a post.
 */
export function countRefused(scope: Construct, logGroup: logs.LogGroup, posts: string): cloudwatch.Metric {
  const { all, any, stringValue } = logs.FilterPattern;
  const isLookUp = stringValue('$.resource', '!=', posts);
  const status = (comparison: string, value: string) => stringValue('$.status', comparison, value);
  const count = (id: string, filterPattern: logs.IFilterPattern, metricValue: string) =>
    new logs.MetricFilter(scope, `Count-${id}`, {
      logGroup,
      filterPattern,
      metricNamespace: Stack.of(scope).stackName,
      metricName: 'LookUpsRefused',
      metricValue,
    });
  count('LookUpsNotRefused', all(isLookUp, any(status('!=', '4*'), status('=', '404'))), '0');
  const refused = count('LookUpsRefused', all(isLookUp, status('=', '4*'), status('!=', '404')), '1');
  return refused.metric({ period: PERIOD, statistic: 'Sum' });
}
