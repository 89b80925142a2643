import { Annotations, Aws, Duration, Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as stepfunctions from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';

import type { Alarms } from './alarms.js';
import type { Api } from './api.js';
import type { Environment } from './environments.js';
import type { EventsDoor } from './events-door.js';
import { acknowledge } from './findings.js';
import { measuredOfCampaign } from './program.js';

/** Whom the canary speaks of: nobody. */
const USER = 'canary';

/** How often it runs; for as long its alarms count at a time. */
const EVERY = Duration.minutes(15);

/**
 * The first minute of an hour in which it runs. Periods of CloudWatch begin with the hour, so that a run
 * that begins in their middle is over before they are, and each period has one.
 */
const FIRST_MINUTE = 7;

/** What it posts in an hour. */
export const CANARY_POSTS_AN_HOUR = 60 / EVERY.toMinutes();

/** Until what was posted should be there: ten times what it takes when nothing waits. */
const UNTIL_WRITTEN = Duration.minutes(3);

/** A door that was busy is tried again: after so long, and twice as long. */
const AGAIN = Duration.seconds(15);
const MOST_AGAIN = 2;

/** A start that EventBridge could not make is made up for by the next one. */
const START_LATE = Duration.minutes(5);

/** Periods in a row without one, before somebody is woken: one run may fail by chance. */
const PERIODS = 2;

/** Where it stands why the post was refused. */
const REFUSED = '$.refused';

export interface CanaryProps {
  readonly alarms: Alarms;
  readonly api: Api;
  readonly environment: Environment;
  readonly eventsDoor: EventsDoor;
}

/**
 * Asks for content of nobody as Braze would, and looks it up as Braze would, all day long: through the
 * addresses, with the secrets. What the programs count of it under its campaign is what rings when
 * it is not there, whatever kept it back.
 *
 * It is no function but a state machine: Step Functions calls HTTPS itself. EventBridge's API
 * destinations would do for the post, but give up after five seconds, and send the event as a body with
 * every method, which the api refuses of a look-up.
 * <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html>
 */
export class Canary extends Construct {
  constructor(scope: Construct, id: string, props: CanaryProps) {
    super(scope, id);
    const { canary, production } = props.environment;
    if (canary !== undefined) {
      this.run(canary.campaign, props);
    } else if (production) {
      Annotations.of(this).addWarningV2(
        'braze-content:canary',
        'nobody tries all day whether an event becomes content: give the stage a canary (docs/settings.md)',
      );
    }
  }

  private run(campaign: string, { alarms, api, eventsDoor }: CanaryProps): void {
    const posts = this.connection('posts', eventsDoor.secret.bearer);
    const lookUps = this.connection('look-ups', api.secret.basic);
    const urls = { lookUps: api.front.url, posts: eventsDoor.posts.url };
    const machine = new stepfunctions.StateMachine(this, 'Machine', {
      stateMachineName: `${Stack.of(this).stackName}-canary`,
      comment: 'Posts an event of nobody, and looks up what was written for it',
      definitionBody: stepfunctions.DefinitionBody.fromString(
        Stack.of(this).toJsonString(definition(urls, campaign, { lookUps, posts })),
      ),
      role: this.role(urls, [posts, lookUps]),
    });
    acknowledge(machine, 'SF1', 'Step Functions itself keeps what each run did for 90 days; all of it is of nobody');
    acknowledge(machine, 'SF2', 'it starts no function itself; both doors count and log their calls');
    new events.Rule(this, 'Clock', {
      description: 'Starts the canary',
      schedule: events.Schedule.cron({ minute: `${FIRST_MINUTE}/${EVERY.toMinutes()}` }),
      targets: [new targets.SfnStateMachine(machine, { maxEventAge: START_LATE, retryAttempts: 1 })],
    });
    this.watch(alarms, campaign, machine);
  }

  /**
   * Holds a copy of a secret. CloudFormation makes it anew only where something of the connection
   * changes, so each build is said in its description; between two a person does it.
   * <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-secretsmanager.html>
   */
  private connection(name: string, authorization: events.Authorization): events.Connection {
    return new events.Connection(this, `Connection-${name}`, {
      authorization,
      // By which a person tells it a new password.
      connectionName: `${Stack.of(this).stackName}-canary-${name}`,
      description: `For the canary's ${name}, build ${this.node.tryGetContext('build') || 'development'}`,
    });
  }

  /**
   * What calls of HTTPS need.
   * <https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html>
   */
  private role(urls: Doors<string>, connections: readonly events.Connection[]): iam.Role {
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('states.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
      description: 'What the canary may do',
    });
    const below = `${urls.lookUps}*`;
    const allow = (actions: string[], resources: string[], conditions = {}) =>
      role.addToPolicy(new iam.PolicyStatement({ actions, resources, conditions }));
    allow(['states:InvokeHTTPEndpoint'], ['*'], {
      // Most fronts have one address for both.
      StringLike: { 'states:HTTPEndpoint': urls.posts.startsWith(urls.lookUps) ? below : [below, urls.posts] },
    });
    allow(
      ['events:RetrieveConnectionCredentials'],
      connections.map((each) => each.connectionArn),
    );
    allow(
      ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
      connections.map((each) => each.connectionSecretArn),
    );
    acknowledge(role, 'IAM5[Resource::*]', 'Step Functions has no resource for addresses; the condition names the api');
    return role;
  }

  private watch(alarms: Alarms, campaign: string, machine: stepfunctions.StateMachine): void {
    const counted = (name: string) => measuredOfCampaign(this, campaign, name).with({ period: EVERY });
    alarms.watch(this, {
      name: 'canary-not-written',
      means: 'For half an hour no content came of the events that the canary posts.',
      rings: 'page',
      metric: counted('contents_stored'),
      below: 1,
      periods: PERIODS,
    });
    alarms.watch(this, {
      name: 'canary-not-served',
      means: 'For half an hour the canary was served no content of its own.',
      rings: 'page',
      metric: counted('contents_served'),
      below: 1,
      periods: PERIODS,
    });
    alarms.watch(this, {
      name: 'canary-refused',
      means: 'A door refuses what the canary sends, twice in a row.',
      rings: 'ticket',
      metric: machine.metricFailed({ period: EVERY }),
      above: 0,
      periods: PERIODS,
    });
  }
}

/** The same of both doors. */
interface Doors<T> {
  readonly lookUps: T;
  readonly posts: T;
}

/** What it does; its input is EventBridge's event of the clock. */
function definition(urls: Doors<string>, campaign: string, { lookUps, posts }: Doors<events.Connection>): object {
  const call = (method: string, endpoint: string, connection: events.Connection, more: object) => ({
    Type: 'Task',
    Resource: `arn:${Aws.PARTITION}:states:::http:invoke`,
    Parameters: {
      ApiEndpoint: endpoint,
      Authentication: { ConnectionArn: connection.connectionArn },
      Method: method,
      ...more,
    },
    ResultPath: null,
    Retry: [
      { ErrorEquals: ['States.ALL'], IntervalSeconds: AGAIN.toSeconds(), BackoffRate: 2, MaxAttempts: MOST_AGAIN },
    ],
  });
  return {
    StartAt: 'Post',
    States: {
      Post: {
        ...call('POST', urls.posts, posts, { RequestBody: posted(campaign) }),
        // What was written before can still be looked up.
        Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: REFUSED, Next: 'UntilWritten' }],
        Next: 'UntilWritten',
      },
      UntilWritten: { Type: 'Wait', Seconds: UNTIL_WRITTEN.toSeconds(), Next: 'LookUp' },
      LookUp: {
        ...call('GET', urls.lookUps, lookUps, { QueryParameters: { user_id: USER, campaign } }),
        Next: 'WasPosted',
      },
      WasPosted: {
        Type: 'Choice',
        Choices: [{ Variable: REFUSED, IsPresent: true, Next: 'PostRefused' }],
        Default: 'Done',
      },
      PostRefused: { Type: 'Fail', ErrorPath: `${REFUSED}.Error`, CausePath: `${REFUSED}.Cause` },
      Done: { Type: 'Succeed' },
    },
  };
}

/**
 * A message as webhooks send it: the id tells a repeat, and the time makes the prompt another one each
 * time. It stands in no field `time` of the message, which counts seconds; without one it is now.
 */
function posted(campaign: string): object {
  return { user_id: USER, campaign, 'id.$': '$.id', properties: { 'time.$': '$.time' } };
}
