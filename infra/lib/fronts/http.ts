import { Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';

import { PERIOD } from '../alarms.js';
import type { DomainSettings, Environment } from '../environments.js';
import { acknowledge } from '../findings.js';
import { accessLog, countRefused, format } from './access-log.js';
import { lessPosts } from './counts.js';
import { ApiDomain } from './domain.js';
import { certain, type Front, type FrontProps, type LookUps, type Posts, POSTS } from './front.js';
import { OPEN } from './open.js';

/** The stage that stands in no path. */
const STAGE = '$default';

/** All paths but the look-ups' and the posts': the function tells by this name which was called. */
const REST = '/{proxy+}';

/** What the access log says was matched by a post. */
const POSTED = `POST /${POSTS}`;

/**
 * API Gateway's HTTP API: it throttles and keeps an access log, and refuses nobody by network or for
 * missing credentials. It speaks TLS 1.2 and 1.3 only, whatever is set.
 * <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-ciphers.html>
 */
export class HttpFront implements Front {
  readonly accessLog: logs.LogGroup;
  readonly address: string;
  readonly url: string;
  readonly lookUps: LookUps;

  private readonly api: apigateway.HttpApi;

  constructor(
    private readonly scope: Construct,
    { environment, program }: FrontProps,
  ) {
    const { domain, unknownUser } = environment.api;
    this.accessLog = accessLog(this.scope, environment);
    this.api = new apigateway.HttpApi(this.scope, 'HttpApi', {
      apiName: Stack.of(this.scope).stackName,
      createDefaultStage: false,
      description: 'Content for Braze Connected Content',
    });
    acknowledge(this.api, 'APIG4', 'the functions check credentials of the kind that Braze can send');
    const stage = this.stage(environment, this.lookUp(program.live));
    this.lookUps = this.count(unknownUser);
    this.address = domain === undefined ? stage.url : this.behind(domain, stage);
    this.url = this.address.replace(/\/?$/, '/');
  }

  take(posts: lambda.Alias): Posts {
    this.api.addRoutes({
      path: `/${POSTS}`,
      methods: [apigateway.HttpMethod.POST],
      integration: new HttpLambdaIntegration('Posts', posts, {
        // The form that a REST API sends, which is the one that this program reads.
        payloadFormatVersion: apigateway.PayloadFormatVersion.VERSION_1_0,
      }),
    });
    return { url: `${this.url}${POSTS}`, count: this.ofPosts('Count') };
  }

  /** The function answers other methods and paths with what would be right. */
  private lookUp(live: lambda.Alias): apigateway.HttpRoute[] {
    const look = new HttpLambdaIntegration('LookUps', live);
    return ['/', REST].flatMap((path) =>
      this.api.addRoutes({ path, methods: [apigateway.HttpMethod.ANY], integration: look }),
    );
  }

  private stage({ api }: Environment, routes: apigateway.HttpRoute[]): apigateway.HttpStage {
    const { burst, rate } = certain('throttle', api.throttle);
    const stage = new apigateway.HttpStage(this.scope, 'Stage', {
      httpApi: this.api,
      stageName: STAGE,
      autoDeploy: true,
      accessLogSettings: {
        destination: new apigateway.LogGroupLogDestination(this.accessLog),
        format: format('$context.routeKey'),
      },
      // Posts are told from look-ups by the metrics of single routes.
      detailedMetricsEnabled: true,
      throttle: { burstLimit: burst, rateLimit: rate },
    });
    const slow = { ThrottlingBurstLimit: Math.min(OPEN.burst, burst), ThrottlingRateLimit: Math.min(OPEN.rate, rate) };
    const known = stage.node.defaultChild as apigateway.CfnStage;
    known.routeSettings = { [`ANY ${REST}`]: { ...slow, DetailedMetricsEnabled: true } };
    // API Gateway takes settings of no route that is not there yet.
    stage.node.addDependency(...routes);
    return stage;
  }

  private behind(settings: DomainSettings, stage: apigateway.HttpStage): string {
    const domain = new ApiDomain(this.scope, 'Domain', settings);
    new apigateway.CfnApiMapping(this.scope, 'Mapping', {
      apiId: this.api.apiId,
      domainName: domain.name.domainName,
      stage: (stage.node.defaultChild as apigateway.CfnStage).ref,
      ...(settings.basePath !== undefined && { apiMappingKey: settings.basePath }),
    });
    return domain.url;
  }

  private count(unknownUser: 'fallback' | 'not-found'): LookUps {
    return {
      count: this.ofLookUps('Count'),
      failed: this.ofLookUps('5xx'),
      // API Gateway's own count has in it the throttled look-ups, which the access log may leave out.
      refused:
        unknownUser === 'fallback'
          ? this.ofLookUps('4xx', 'refused')
          : countRefused(this.scope, this.accessLog, POSTED),
      measured: { count: this.metric('Count'), failed: this.metric('5xx') },
      latency: (statistic) => this.metric('Latency', statistic),
      latencyUnit: 'ms',
    };
  }

  private ofLookUps(metricName: string, label?: string): cloudwatch.MathExpression {
    return lessPosts(metricName, { all: this.metric(metricName), posts: this.ofPosts(metricName) }, label);
  }

  private ofPosts(metricName: string): cloudwatch.Metric {
    return this.metric(metricName, 'Sum', { Method: 'POST', Resource: `/${POSTS}`, Stage: STAGE });
  }

  /** <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html> */
  private metric(metricName: string, statistic = 'Sum', of: Record<string, string> = {}): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: 'AWS/ApiGateway',
      metricName,
      dimensionsMap: { ApiId: this.api.apiId, ...of },
      period: PERIOD,
      statistic,
    });
  }
}
