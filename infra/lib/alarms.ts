import { Aws, Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';

import type { AlarmSettings } from './environments.js';

/** Somebody gets up for a page. A ticket can wait until the morning. */
export type Severity = 'page' | 'ticket';

/** What can stop as a whole, for causes that ring in several places; each is one page. */
export const OUTAGES = {
  'files-stop': 'Files of Currents are not read.',
  'content-stops': 'No new content comes about.',
  'look-ups-stop': 'Braze gets no content, or fallback content in its place.',
} as const;
export type Outage = keyof typeof OUTAGES;

/** One condition that somebody must look at. */
export type Watch = Watched & (Above | Below);

/** What an alarm looks at. */
interface Watched {
  /** Also the title of its chapter in docs/runbook.md. */
  readonly name: string;
  /** Tells apart what shares a chapter, such as models. */
  readonly of?: string;
  /** What is the matter, in one sentence. */
  readonly means: string;
  /** Whom it wakes; alarms of an outage wake together, once. */
  readonly rings: Severity | Outage;
  readonly metric: cloudwatch.IMetric;
  /** For so many periods in a row; one if not given. */
  readonly periods?: number;
  /**
   * A percentile of few measurements is one of them. With this an alarm stays as it is until there are
   * enough, for the 99th a thousand in a period.
   * <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html>
   */
  readonly ofMany?: boolean;
}

/** Rings above a number. Nothing measured means that nothing happens, which is no fault. */
interface Above {
  readonly above: number;
}

/** Rings below a number, where nothing measured means that what should happen does not. */
interface Below {
  readonly below: number;
}

export interface AlarmsProps {
  readonly settings: AlarmSettings;
}

/** Sends alarms to whoever subscribed. Each alarm stands beside the resource that it watches. */
export class Alarms extends Construct {
  readonly settings: AlarmSettings;

  private readonly topics: Readonly<Record<Severity, sns.Topic>>;
  private readonly rung: cloudwatch.AlarmBase[] = [];
  private readonly parts = new Map<Outage, cloudwatch.Alarm[]>();

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { email, ticketEmail = email } = props.settings;
    this.settings = props.settings;
    this.topics = { page: this.topic('Pages', email), ticket: this.topic('Tickets', ticketEmail) };
  }

  /** All alarms so far. */
  get all(): readonly cloudwatch.AlarmBase[] {
    return this.rung;
  }

  /** Adds an alarm to the construct `scope` that owns what is watched. */
  watch(scope: Construct, watch: Watch): cloudwatch.Alarm {
    const alarm = new cloudwatch.Alarm(scope, ['Alarm', watch.name, watch.of ?? []].flat().join('-'), {
      alarmDescription: this.description(watch),
      evaluationPeriods: watch.periods ?? 1,
      ...(watch.ofMany && { evaluateLowSampleCountPercentile: 'ignore' }),
      ...limit(watch),
    });
    this.rung.push(alarm);
    if (!isOutage(watch.rings)) {
      this.ring(alarm, watch.rings);
    } else if (this.groups) {
      this.parts.set(watch.rings, [...(this.parts.get(watch.rings) ?? []), alarm]);
    } else {
      this.ring(alarm, 'page');
    }
    return alarm;
  }

  /** Makes one page of the alarms of each outage; comes after all of them. */
  watchOutages(): void {
    for (const [name, parts] of this.parts) {
      const outage = new cloudwatch.CompositeAlarm(this, `Alarm-${name}`, {
        alarmDescription: this.description({ name, means: OUTAGES[name], rings: 'page' }),
        alarmRule: cloudwatch.AlarmRule.anyOf(
          ...parts.map((each) => cloudwatch.AlarmRule.fromAlarm(each, cloudwatch.AlarmState.ALARM)),
        ),
      });
      this.ring(outage, 'page');
      // The whole before its parts.
      this.rung.unshift(outage);
    }
  }

  /** Where nobody hears, outages group nothing, and their price is saved. */
  private get groups(): boolean {
    return this.settings.email !== undefined;
  }

  private ring(alarm: cloudwatch.AlarmBase, severity: Severity): void {
    alarm.addAlarmAction(new actions.SnsAction(this.topics[severity]));
    alarm.addOkAction(new actions.SnsAction(this.topics[severity]));
  }

  private description({ name, means, rings }: Pick<Watch, 'name' | 'means' | 'rings'>): string {
    const severity = isOutage(rings) ? `Page of ${rings}` : `${rings[0]?.toUpperCase()}${rings.slice(1)}`;
    return `${severity}: ${means} ${this.settings.runbookUrl}#${name}`;
  }

  private topic(id: string, email: string | undefined): sns.Topic {
    // Without a key: whoever disabled the key of what alarms watch would silence them too, and so
    // would whoever disabled one of their own. CloudWatch may not use AWS's own key for SNS. What
    // passes are names, numbers and links; none is about a user.
    const topic = new sns.Topic(this, id, { enforceSSL: true });
    // The policy that asks for TLS takes the place of the one that lets alarms publish.
    topic.addToResourcePolicy(
      new iam.PolicyStatement({
        principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    );
    if (email !== undefined) {
      topic.addSubscription(new subscriptions.EmailSubscription(email));
    }
    return topic;
  }
}

function isOutage(rings: Severity | Outage): rings is Outage {
  return rings in OUTAGES;
}

function limit(watch: Watch) {
  return 'above' in watch
    ? {
        metric: watch.metric,
        threshold: watch.above,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      }
    : {
        metric: orZero(watch.metric),
        threshold: watch.below,
        comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        treatMissingData: cloudwatch.TreatMissingData.BREACHING,
      };
}

/**
 * Takes what was not measured for zero. An alarm that misses its points looks some periods further
 * back before it rings, so that those who went silent would be heard of late.
 * <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>
 */
function orZero(metric: cloudwatch.IMetric): cloudwatch.MathExpression {
  return new cloudwatch.MathExpression({
    expression: 'FILL(counted, 0)',
    period: (metric as cloudwatch.Metric).period,
    usingMetrics: { counted: metric },
  });
}

/** The period of most alarms: short enough to tell soon, long enough for a metric to be there. */
export const PERIOD = Duration.minutes(5);

/** That of alarms on what happens seldom, or may be absent for minutes. */
export const HOUR = Duration.hours(1);
