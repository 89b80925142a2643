import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';

import { PERIOD } from '../alarms.js';
import { lessUnknownUsers } from './counts.js';
import { type Front, type FrontProps, type LookUps, type Posts, POSTS } from './front.js';

/**
 * No front at all: each function has an address that Lambda makes up, and nothing stops a call before the
 * function looks at its credentials. The limit is how many instances may run.
 */
export class UrlFront implements Front {
  readonly address: string;
  readonly url: string;
  readonly lookUps: LookUps;

  constructor(
    private readonly scope: Construct,
    { environment, program }: FrontProps,
  ) {
    // It ends with a slash.
    this.address = this.url = this.open('LookUps', program.live);
    const metric = (name: string, statistic = 'Sum') => counted(program.live, name, statistic);
    const measured = { count: metric('UrlRequestCount'), failed: metric('Url5xxCount') };
    this.lookUps = {
      ...measured,
      measured,
      refused: lessUnknownUsers(metric('Url4xxCount'), environment, program),
      latency: (statistic) => metric('UrlRequestLatency', statistic),
      latencyUnit: 'ms',
    };
  }

  take(posts: lambda.Alias): Posts {
    // The function takes a post at any path.
    return { url: `${this.open('Posts', posts)}${POSTS}`, count: counted(posts, 'UrlRequestCount', 'Sum') };
  }

  /** CDK lets everybody invoke it, by the URL alone: both permissions that Lambda asks for since October 2025. */
  private open(id: string, live: lambda.Alias): string {
    return new lambda.FunctionUrl(this.scope, id, {
      function: live,
      // Braze signs nothing.
      authType: lambda.FunctionUrlAuthType.NONE,
    }).url;
  }
}

/** <https://docs.aws.amazon.com/lambda/latest/dg/urls-monitoring.html> */
function counted(live: lambda.Alias, metricName: string, statistic: string): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: 'AWS/Lambda',
    metricName,
    // The URLs of all aliases of a function, of which there is one.
    dimensionsMap: { FunctionName: live.lambda.functionName },
    period: PERIOD,
    statistic,
  });
}
