import { Aws, Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';

import type { AlarmSettings } from './environments.js';

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
  readonly metric: cloudwatch.IMetric;
  /** For so many periods in a row; one if not given. */
  readonly periods?: number;
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
  readonly topic: sns.Topic;
  readonly settings: AlarmSettings;

  private readonly rung: cloudwatch.Alarm[] = [];

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    this.settings = props.settings;
    // Without a key: whoever disabled the key of what alarms watch would silence them too, and so
    // would whoever disabled one of their own. CloudWatch may not use AWS's own key for SNS. What
    // passes are names, numbers and links; none is about a user.
    this.topic = new sns.Topic(this, 'Topic', { enforceSSL: true });
    // The policy that asks for TLS takes the place of the one that lets alarms publish.
    this.topic.addToResourcePolicy(
      new iam.PolicyStatement({
        principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    );
    if (props.settings.email !== undefined) {
      this.topic.addSubscription(new subscriptions.EmailSubscription(props.settings.email));
    }
  }

  /** All alarms so far. */
  get all(): readonly cloudwatch.Alarm[] {
    return this.rung;
  }

  /** Adds an alarm to the construct `scope` that owns what is watched. */
  watch(scope: Construct, watch: Watch): void {
    const alarm = new cloudwatch.Alarm(scope, ['Alarm', watch.name, watch.of ?? []].flat().join('-'), {
      alarmDescription: `${watch.means} ${this.settings.runbookUrl}#${watch.name}`,
      metric: watch.metric,
      evaluationPeriods: watch.periods ?? 1,
      ...limit(watch),
    });
    alarm.addAlarmAction(new actions.SnsAction(this.topic));
    alarm.addOkAction(new actions.SnsAction(this.topic));
    this.rung.push(alarm);
  }
}

function limit(watch: Watch) {
  return 'above' in watch
    ? {
        threshold: watch.above,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      }
    : {
        threshold: watch.below,
        comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        treatMissingData: cloudwatch.TreatMissingData.BREACHING,
      };
}

/** The period of all alarms: short enough to tell soon, long enough for a metric to be there. */
export const PERIOD = Duration.minutes(5);
