import { Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';

import { PERIOD } from '../alarms.js';
import type { DomainSettings, Environment } from '../environments.js';
import { acknowledge } from '../findings.js';
import { KEPT } from '../removal.js';
import { accessLog, countRefused, format } from './access-log.js';
import { lessPosts } from './counts.js';
import { ApiDomain } from './domain.js';
import { certain, type Front, type FrontProps, type LookUps, type Posts, POSTS } from './front.js';
import { OPEN } from './open.js';
import { WebAcl } from './web-acl.js';

/** What API Gateway needs to write logs, for all APIs of a region. */
const LOGS_POLICY = 'AmazonAPIGatewayPushToCloudWatchLogs';

/**
 * What callers must speak: TLS 1.2 or 1.3, while API Gateway's own default takes 1.0 too. The older
 * name `TLS_1_2` is taken for domains only, and policies of this kind ask for an access mode;
 * `BASIC` changes nothing about who gets through.
 * <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies.html>
 */
const TLS = { securityPolicy: 'SecurityPolicy_TLS13_1_2_2021_06', endpointAccessMode: 'BASIC' };

/** Name of the stage in the URL. */
const STAGE = 'v1';

/** All paths but the look-ups' and the posts': the function tells by this name which was called. */
const REST = '{proxy+}';

/** What the function itself answers to who sends no credentials, as far as API Gateway can say it. */
const NO_CREDENTIALS = {
  error: { code: 'unauthorized', message: 'send the credentials that were set up, as Basic or Bearer' },
};
const CHALLENGE = 'Basic realm="content", charset="UTF-8"';

/** Stages know settings of single methods, and none of `ANY`. */
const METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'];

/** API Gateway's REST API: the dearest front, and the one that stops most before a function starts. */
export class RestFront implements Front {
  readonly accessLog: logs.LogGroup;
  readonly address: string;
  readonly url: string;
  readonly lookUps: LookUps;

  private readonly gateway: apigateway.RestApi;
  /** Of methods that nobody may call without credentials, right or wrong: no function is started for them. */
  private readonly withCredentials: apigateway.MethodOptions;

  constructor(
    private readonly scope: Construct,
    { environment, program }: FrontProps,
  ) {
    const { domain, perAddress, unknownUser, webAcl } = environment.api;
    this.accessLog = accessLog(this.scope, environment);
    this.gateway = this.restApi(environment);
    this.withCredentials = this.refuseWithoutCredentials();
    this.lookUp(program.live);
    this.lookUps = this.count(unknownUser);
    if (webAcl) {
      new WebAcl(this.scope, 'WebAcl', { resourceArn: this.gateway.deploymentStage.stageArn, perAddress });
    }
    this.acknowledge(webAcl);
    // CDK's own output says the same without saying what for.
    this.gateway.node.tryRemoveChild('Endpoint');
    this.address = domain === undefined ? this.gateway.url : this.behind(domain);
    this.url = this.address.replace(/\/?$/, '/');
  }

  take(posts: lambda.Alias): Posts {
    const method = this.gateway.root
      .addResource(POSTS)
      .addMethod('POST', new apigateway.LambdaIntegration(posts, { allowTestInvoke: false }), this.withCredentials);
    acknowledge(method, 'APIG4', 'the function checks the token, of the kind that Braze can send');
    acknowledge(method, 'COG4', 'Braze sends a token of its own, and none of Cognito');
    return { url: `${this.url}${POSTS}`, count: this.ofPosts('Count') };
  }

  private restApi({ api }: Environment): apigateway.RestApi {
    const { allowedNetworks } = api;
    const accountLogsRole = certain('accountLogsRole', api.accountLogsRole);
    const throttle = certain('throttle', api.throttle);
    const gateway = new apigateway.RestApi(this.scope, 'Gateway', {
      // The metrics of two stages in one account are told apart by it.
      restApiName: Stack.of(this.scope).stackName,
      cloudWatchRole: accountLogsRole === 'create',
      ...(accountLogsRole === 'create' && {
        // Other APIs of the region may use it by now.
        cloudWatchRoleRemovalPolicy: KEPT,
      }),
      deployOptions: {
        accessLogDestination: new apigateway.LogGroupLogDestination(this.accessLog),
        accessLogFormat: format('$context.resourcePath'),
        metricsEnabled: true,
        stageName: STAGE,
        throttlingBurstLimit: throttle.burst,
        throttlingRateLimit: throttle.rate,
        methodOptions: Object.fromEntries(
          METHODS.map((method) => [
            `/${REST}/${method}`,
            {
              // What is set for one method takes the place of all that is set for the stage.
              metricsEnabled: true,
              throttlingBurstLimit: Math.min(OPEN.burst, throttle.burst),
              throttlingRateLimit: Math.min(OPEN.rate, throttle.rate),
            },
          ]),
        ),
        // X-Ray would keep the whole URL, and in its query the user's id.
        tracingEnabled: false,
      },
      description: 'Content for Braze Connected Content',
      endpointTypes: [apigateway.EndpointType.REGIONAL],
      ...(Array.isArray(allowedNetworks) && { policy: onlyFrom(allowedNetworks) }),
    });
    Object.assign(gateway.node.defaultChild as apigateway.CfnRestApi, TLS);
    return gateway;
  }

  /**
   * API Gateway looks whether there are some; the functions look whether they are right.
   * <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html>
   */
  private refuseWithoutCredentials(): apigateway.MethodOptions {
    this.gateway.addGatewayResponse('NoCredentials', {
      type: apigateway.ResponseType.BAD_REQUEST_PARAMETERS,
      statusCode: '401',
      responseHeaders: { 'WWW-Authenticate': `'${CHALLENGE}'` },
      templates: { 'application/json': JSON.stringify(NO_CREDENTIALS) },
    });
    return {
      requestParameters: { 'method.request.header.Authorization': true },
      requestValidator: this.gateway.addRequestValidator('Credentials', {
        validateRequestParameters: true,
      }),
    };
  }

  private lookUp(live: lambda.Alias): void {
    const look = new apigateway.LambdaIntegration(live, {
      // The console's test button needs no permission of its own.
      allowTestInvoke: false,
    });
    const { root } = this.gateway;
    // The function answers other methods and paths with what would be right.
    root.addMethod('ANY', look, this.withCredentials);
    root.addResource(REST).addMethod('ANY', look);
  }

  private behind(settings: DomainSettings): string {
    const domain = new ApiDomain(this.scope, 'Domain', settings);
    domain.name.addBasePathMapping(this.gateway, {
      stage: this.gateway.deploymentStage,
      ...(settings.basePath !== undefined && { basePath: settings.basePath }),
    });
    return domain.url;
  }

  private count(unknownUser: 'fallback' | 'not-found'): LookUps {
    return {
      count: this.ofLookUps('Count'),
      failed: this.ofLookUps('5XXError'),
      // API Gateway's own count has in it the throttled look-ups, which the access log may leave out.
      refused:
        unknownUser === 'fallback'
          ? this.ofLookUps('4XXError', 'refused')
          : countRefused(this.scope, this.accessLog, `/${POSTS}`),
      measured: { count: this.metric('Count'), failed: this.metric('5XXError') },
      latency: (statistic) => this.gateway.metricLatency({ period: PERIOD, statistic }),
      latencyUnit: 'ms',
    };
  }

  private ofLookUps(metricName: string, label?: string): cloudwatch.MathExpression {
    return lessPosts(metricName, { all: this.metric(metricName), posts: this.ofPosts(metricName) }, label);
  }

  private metric(metricName: string): cloudwatch.Metric {
    return this.gateway.metric(metricName, { period: PERIOD, statistic: 'Sum' });
  }

  private ofPosts(metricName: string): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: 'AWS/ApiGateway',
      metricName,
      dimensionsMap: {
        ApiName: Stack.of(this.scope).stackName,
        Method: 'POST',
        Resource: `/${POSTS}`,
        Stage: STAGE,
      },
      period: PERIOD,
      statistic: 'Sum',
    });
  }

  private acknowledge(webAcl: boolean): void {
    const api = this.gateway;
    acknowledge(api, 'APIG2', 'the function checks every parameter and says in JSON what is wrong');
    acknowledge(api, 'APIG4', 'the function checks credentials of the kind that Braze can send');
    acknowledge(api, 'COG4', 'Braze sends Basic credentials or a header, and no token of Cognito');
    acknowledge(api, 'APIG6', 'execution logs hold queries, and so the ids of users');
    acknowledge(
      api,
      `IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/${LOGS_POLICY}]`,
      "AWS documents this policy for the account's role for the logs of API Gateway",
    );
    if (!webAcl) {
      acknowledge(api, 'APIG3', 'the setting webAcl puts AWS WAF in front, at its own price');
    }
  }
}

/** Refuses everybody else before anything is asked. */
function onlyFrom(networks: readonly string[]): iam.PolicyDocument {
  return new iam.PolicyDocument({
    statements: [
      new iam.PolicyStatement({
        principals: [new iam.AnyPrincipal()],
        actions: ['execute-api:Invoke'],
        resources: [`execute-api:/${STAGE}/*`],
        conditions: { IpAddress: { 'aws:SourceIp': [...networks] } },
      }),
    ],
  });
}
