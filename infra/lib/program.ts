import { Duration, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

import { type Alarms, type Outage, PERIOD, type Severity } from './alarms.js';
import type { Environment } from './environments.js';
import { share, sum } from './expressions.js';
import { acknowledge } from './findings.js';
import { KEPT, keptIf } from './removal.js';
import { LIVE } from './rollback.js';

/** The programs that run as functions. */
export type ProgramName = 'ingest' | 'processor' | 'api';

/** The functions; two of them are the program `processor`, and two `ingest`. */
export type FunctionName = ProgramName | 'asks-worker' | 'events-door';

export interface ProgramProps {
  readonly name: FunctionName;
  readonly program: ProgramName;
  /** Folder of `bootstrap` and `campaigns`; tests give an empty one, so that synth never runs cargo. */
  readonly codePath: string;
  readonly environment: Environment;
  readonly alarms: Alarms;
  readonly memoryMiB: number;
  readonly timeout: Duration;
  /** The settings that the program reads, but for those that all have. */
  readonly settings: Readonly<Record<string, string>>;
  readonly reservedConcurrency?: number;
  /** What stops when its invocations fail. */
  readonly failureRings: Severity | Outage;
  /** Whether the function may cause its own invocation; else Lambda ends a loop. */
  readonly recursiveLoop?: lambda.RecursiveLoop;
  /**
   * It is started on and on and works as long as it may: a start that is refused, because enough
   * instances work already, and an invocation to the end of its time are what is wanted.
   */
  readonly runsWheneverItMay?: boolean;
  /**
   * It is called so often that Lambda's own lines of invocations that went well, and traces of some,
   * would cost as much as the calls.
   */
  readonly isCalledOften?: boolean;
}

/** One program as a function: with its role, its log and the alarms that all have. */
export class Program extends Construct {
  readonly function: lambda.Function;
  /** The version that runs: whoever calls the function calls this. */
  readonly live: lambda.Alias;
  readonly failing: cloudwatch.Alarm;
  readonly role: iam.Role;
  readonly log: logs.LogGroup;

  private readonly program: ProgramName;

  constructor(scope: Construct, id: string, props: ProgramProps) {
    super(scope, id);
    this.program = props.program;
    this.log = new logs.LogGroup(this, 'Log', {
      retention: props.environment.logRetentionDays,
      removalPolicy: keptIf(props.environment.production),
    });
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      description: `What ${props.name} may do`,
    });
    this.log.grantWrite(this.role);
    this.function = new lambda.Function(this, 'Function', {
      architecture:
        props.environment.architecture === 'arm64'
          ? lambda.Architecture.ARM_64
          : lambda.Architecture.X86_64,
      code: lambda.Code.fromAsset(props.codePath),
      // The one before must be there to go back to.
      currentVersionOptions: { removalPolicy: KEPT },
      description: `${props.name}, build ${this.node.tryGetContext('build') || 'development'}`,
      environment: {
        CAMPAIGNS_DIR: 'campaigns',
        LOG_LEVEL: props.environment.logLevel,
        METRICS_NAMESPACE: Stack.of(this).stackName,
        ...props.settings,
      },
      handler: 'bootstrap',
      loggingFormat: lambda.LoggingFormat.JSON,
      logGroup: this.log,
      memorySize: props.memoryMiB,
      recursiveLoop: props.recursiveLoop ?? lambda.RecursiveLoop.TERMINATE,
      role: this.role,
      runtime: lambda.Runtime.PROVIDED_AL2023,
      timeout: props.timeout,
      // Lambda's own segments hold the request's id, the function's name and times, and nothing of
      // the event; the programs add none. <https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html>
      tracing: props.isCalledOften ? lambda.Tracing.DISABLED : lambda.Tracing.ACTIVE,
      // What did not go well is of this level too.
      // <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>
      ...(props.isCalledOften && { systemLogLevelV2: lambda.SystemLogLevel.WARN }),
      ...(props.reservedConcurrency !== undefined && {
        reservedConcurrentExecutions: props.reservedConcurrency,
      }),
    });
    this.live = new lambda.Alias(this, 'Live', {
      aliasName: LIVE,
      version: this.function.currentVersion,
      // Lambda itself would start again for hours what was refused, and twice what failed.
      ...(props.runsWheneverItMay && { maxEventAge: SOONEST_DROPPED, retryAttempts: 0 }),
    });
    if (!props.isCalledOften) {
      acknowledge(this.role, 'IAM5[Resource::*]', 'X-Ray offers no resource for sending traces');
    }
    this.failing = this.watch(props);
  }

  private watch({ alarms, failureRings, name, runsWheneverItMay, timeout }: ProgramProps): cloudwatch.Alarm {
    const failing = alarms.watch(this, {
      name: `${name}-errors`,
      means: `More than one in ten invocations of ${name} fails.`,
      rings: failureRings,
      metric: share({
        label: 'failed',
        bad: this.function.metricErrors({ period: PERIOD }),
        all: this.function.metricInvocations({ period: PERIOD }),
        least: LEAST_FAILURES,
      }),
      above: 0.1,
      periods: 2,
    });
    if (runsWheneverItMay) {
      return failing;
    }
    alarms.watch(this, {
      name: `${name}-throttled`,
      means: `Lambda refuses to start more instances of ${name}.`,
      rings: 'ticket',
      metric: this.function.metricThrottles({ period: PERIOD }),
      above: 0,
      periods: 3,
    });
    alarms.watch(this, {
      name: `${name}-slow`,
      means: `One in a hundred invocations of ${name} takes nearly as long as it may.`,
      rings: 'ticket',
      metric: this.p99(),
      above: timeout.toMilliseconds() * SLOW,
      periods: 3,
    });
    return failing;
  }

  /** How long invocations take, but for the slowest hundredth. */
  p99(): cloudwatch.Metric {
    return this.function.metricDuration({ period: PERIOD, statistic: 'p99' });
  }

  /** What all functions of the program measured under several names, together. */
  measuredOf(names: readonly string[]): cloudwatch.MathExpression {
    return sum(names.map((name) => this.measured(name)));
  }

  /** What all functions of the program measured under this name. */
  measured(name: string): cloudwatch.Metric {
    return measured(this, { program: this.program }, name);
  }
}

/** What all programs measured of a campaign under this name. */
export function measuredOfCampaign(scope: Construct, campaign: string, name: string): cloudwatch.Metric {
  return measured(scope, { campaign }, name);
}

function measured(
  scope: Construct,
  dimensionsMap: Record<string, string>,
  metricName: string,
): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: Stack.of(scope).stackName,
    metricName,
    dimensionsMap,
    period: PERIOD,
    statistic: 'Sum',
  });
}

/**
 * Failures of five minutes before they are a rate. One file or batch that fails each time comes back
 * less often: it is given up in the end, and rings then.
 */
const LEAST_FAILURES = 3;

/** The part of its time-out that an invocation may take without being called slow. */
const SLOW = 0.9;

/** The shortest that Lambda keeps a start that it had to refuse. */
const SOONEST_DROPPED = Duration.minutes(1);
