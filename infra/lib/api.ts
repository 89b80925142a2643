import { CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

import { type Alarms, PERIOD } from './alarms.js';
import { ApiDomain } from './api-domain.js';
import { ApiSecret } from './api-secret.js';
import type { Encryption } from './encryption.js';
import type { Environment } from './environments.js';
import { share } from './expressions.js';
import { acknowledge } from './findings.js';
import { Program } from './program.js';
import { KEPT, keptIf } from './removal.js';
import type { Registry } from './registry.js';
import { Shift } from './shift.js';
import type { Tables } from './tables.js';
import { WebAcl } from './web-acl.js';

/** Braze waits two seconds; what takes longer helps nobody, but a cold start may. */
const TIMEOUT = Duration.seconds(5);

/** Look-ups of five minutes that go wrong, before they are a rate. */
const LEAST_LOOK_UPS = 5;

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

/**
 * What wrong paths, `/health` and `/openapi.json` get in a second, none of which asks for credentials:
 * enough for whoever watches, and too little for a flood.
 */
const OPEN = { rate: 10, burst: 20 };

/** Stages know settings of single methods, and none of `ANY`. */
const METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'];

/** Where events are posted: a resource of its own, with a function of its own behind it. */
export const POSTS = 'events';

/** Look-ups that get fallback content because the table or the secret cannot be read. */
const TROUBLE = ['lookups_failed', 'credentials_unverifiable'];

export interface ApiProps {
  readonly codePath: string;
  readonly environment: Environment;
  readonly alarms: Alarms;
  readonly encryption: Encryption;
  readonly registry: Registry;
  readonly tables: Tables;
}

/** What Braze calls at send time: API Gateway, and the function behind it. */
export class Api extends Construct {
  readonly program: Program;
  readonly gateway: apigateway.RestApi;
  /** Look-ups whose answer says that the caller did wrong. */
  readonly refused: cloudwatch.IMetric;
  /** Where it is called, with a slash at its end. */
  readonly url: string;

  /** Of methods that nobody may call without credentials, right or wrong: no function is started for them. */
  readonly withCredentials: apigateway.MethodOptions;

  /** One line for each call. */
  readonly accessLog: logs.LogGroup;
  readonly secret: ApiSecret;

  constructor(scope: Construct, id: string, props: ApiProps) {
    super(scope, id);
    const settings = props.environment.api;
    this.secret = new ApiSecret(this, 'Secret', {
      ...props,
      is: 'Credentials that Braze sends to the api',
      outputIs: 'Holds the credentials to give to Braze',
    });
    this.program = new Program(this, 'Program', {
      name: 'api',
      program: 'api',
      failureRings: 'look-ups-stop',
      codePath: props.codePath,
      environment: props.environment,
      alarms: props.alarms,
      memoryMiB: settings.memoryMiB,
      isCalledOften: true,
      timeout: TIMEOUT,
      reservedConcurrency: settings.maxInstances,
      settings: {
        ...props.registry.settings,
        CACHE_SECS: String(settings.cacheSeconds),
        CONTENT_TABLE: props.tables.content.tableName,
        CREDENTIALS_SECRET_ARN: this.secret.arn,
        UNKNOWN_USER: settings.unknownUser,
      },
    });
    props.registry.grantFollow(this.program.role);
    props.tables.content.grant(
      this.program.role,
      // Several campaigns in one look-up.
      'dynamodb:BatchGetItem',
      'dynamodb:GetItem',
    );
    props.encryption.grant(this.program.role, 'tables');
    this.secret.grantRead(this.program.role);

    this.accessLog = new logs.LogGroup(this, 'AccessLog', {
      retention: props.environment.logRetentionDays,
      removalPolicy: keptIf(props.environment.production),
    });
    this.gateway = this.restApi(props);
    this.withCredentials = this.refuseWithoutCredentials();
    this.lookUp();
    this.refused = this.countRefused(settings.unknownUser);
    if (settings.webAcl) {
      const { perAddress } = settings;
      new WebAcl(this, 'WebAcl', { stage: this.gateway.deploymentStage, perAddress });
    }
    this.acknowledge(settings.webAcl);
    const worse = this.watch(props.alarms);
    if (props.environment.production) {
      new Shift(this, 'Shift', { live: this.program.live, worse: [...worse, this.program.failing] });
    }
    // CDK's own output says the same without saying what for.
    this.gateway.node.tryRemoveChild('Endpoint');
    const { gateway } = this;
    const domain =
      settings.domain && new ApiDomain(this, 'Domain', { gateway, settings: settings.domain });
    new CfnOutput(this, 'Url', {
      description: 'Connected Content calls this, with ?user_id={{${braze_id}}}',
      value: domain?.url ?? gateway.url,
    });
    this.url = domain?.url.replace(/\/?$/, '/') ?? gateway.url;
  }

  /** A metric of the posts, which have a resource of their own. */
  posts(metricName: string, statistic: string): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: 'AWS/ApiGateway',
      metricName,
      dimensionsMap: {
        ApiName: Stack.of(this).stackName,
        Method: 'POST',
        Resource: `/${POSTS}`,
        Stage: STAGE,
      },
      period: PERIOD,
      statistic,
    });
  }

  /** What API Gateway counts of look-ups: all that it counts, less the posts. */
  private lookUps(metricName: string, label = metricName): cloudwatch.MathExpression {
    // No name may stand for two metrics of one alarm.
    const [all, posts] = [`all_${metricName}`, `posts_${metricName}`];
    return new cloudwatch.MathExpression({
      expression: `${all} - FILL(${posts}, 0)`,
      label,
      period: PERIOD,
      usingMetrics: {
        [all]: this.gateway.metric(metricName, { period: PERIOD, statistic: 'Sum' }),
        [posts]: this.posts(metricName, 'Sum'),
      },
    });
  }

  private restApi({ environment }: ApiProps): apigateway.RestApi {
    const { accountLogsRole, allowedNetworks, throttle } = environment.api;
    const gateway = new apigateway.RestApi(this, 'Gateway', {
      // The metrics of two stages in one account are told apart by it.
      restApiName: Stack.of(this).stackName,
      cloudWatchRole: accountLogsRole === 'create',
      ...(accountLogsRole === 'create' && {
        // Other APIs of the region may use it by now.
        cloudWatchRoleRemovalPolicy: KEPT,
      }),
      deployOptions: {
        accessLogDestination: new apigateway.LogGroupLogDestination(this.accessLog),
        accessLogFormat: ACCESS_LOG,
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

  private lookUp(): void {
    const look = new apigateway.LambdaIntegration(this.program.live, {
      // The console's test button needs no permission of its own.
      allowTestInvoke: false,
    });
    const { root } = this.gateway;
    // The function answers other methods and paths with what would be right.
    root.addMethod('ANY', look, this.withCredentials);
    root.addResource(REST).addMethod('ANY', look);
  }

  /**
   * API Gateway's own count, as long as a 404 is a fault: it has in it the throttled look-ups,
   * which the access log may leave out. Where users without content get a 404, the log tells
   * them apart: a one for each refused look-up and a zero for each other.
   */
  private countRefused(unknownUser: 'fallback' | 'not-found'): cloudwatch.IMetric {
    if (unknownUser === 'fallback') {
      return this.lookUps('4XXError', 'refused');
    }
    const { all, any, stringValue } = logs.FilterPattern;
    const isLookUp = stringValue('$.resource', '!=', `/${POSTS}`);
    const status = (comparison: string, value: string) =>
      stringValue('$.status', comparison, value);
    const count = (id: string, filterPattern: logs.IFilterPattern, metricValue: string) =>
      new logs.MetricFilter(this, `Count-${id}`, {
        logGroup: this.accessLog,
        filterPattern,
        metricNamespace: Stack.of(this).stackName,
        metricName: 'LookUpsRefused',
        metricValue,
      });
    count('LookUpsNotRefused', all(isLookUp, any(status('!=', '4*'), status('=', '404'))), '0');
    const refused = count('LookUpsRefused', all(isLookUp, status('=', '4*'), status('!=', '404')), '1');
    return refused.metric({ period: PERIOD, statistic: 'Sum' });
  }

  /** Gives the alarms that ring when look-ups get worse. */
  private watch(alarms: Alarms): cloudwatch.Alarm[] {
    const failing = alarms.watch(this, {
      name: 'look-ups-failing',
      means: 'More than one in a hundred look-ups gets an error of the server in place of content.',
      rings: 'look-ups-stop',
      metric: share({
        label: 'failed',
        bad: this.lookUps('5XXError'),
        all: this.lookUps('Count'),
        least: LEAST_LOOK_UPS,
      }),
      above: 0.01,
      periods: 2,
    });
    const fallBack = alarms.watch(this, {
      name: 'look-ups-fall-back',
      means: 'More than one in twenty look-ups gets fallback content, because the table or the secret cannot be read.',
      rings: 'look-ups-stop',
      metric: share({
        label: 'in trouble',
        bad: this.program.measuredOf(TROUBLE),
        all: this.program.measured('calls_received'),
        least: LEAST_LOOK_UPS,
      }),
      above: 0.05,
      periods: 2,
    });
    alarms.watch(this, {
      name: 'look-ups-refused',
      means: 'More than one in ten look-ups is refused: credentials, throttle or a wrong snippet.',
      rings: 'page',
      metric: share({ label: 'refused', bad: this.refused, all: this.lookUps('Count'), least: LEAST_LOOK_UPS }),
      above: 0.1,
      periods: 3,
    });
    alarms.watch(this, {
      name: 'look-ups-slow',
      means: 'One in a hundred look-ups takes so long that Braze may give up.',
      rings: 'ticket',
      metric: this.gateway.metricLatency({ period: PERIOD, statistic: 'p99' }),
      above: alarms.settings.lookUpMillis,
      periods: 3,
      // At night each cold start would be the slowest of a hundred.
      ofMany: true,
    });
    return [failing, fallBack];
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

/** Everything but the query and the path, which name users. */
const ACCESS_LOG = apigateway.AccessLogFormat.custom(
  JSON.stringify({
    request: '$context.requestId',
    time: '$context.requestTimeEpoch',
    address: '$context.identity.sourceIp',
    method: '$context.httpMethod',
    resource: '$context.resourcePath',
    status: '$context.status',
    latency_ms: '$context.responseLatency',
    function_ms: '$context.integration.latency',
    function_error: '$context.integration.error',
    bytes: '$context.responseLength',
  }),
);

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
