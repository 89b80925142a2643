import { CfnOutput, Duration } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import { Construct } from 'constructs';

import { type Alarms, HOUR } from './alarms.js';
import { type Api, POSTS } from './api.js';
import { ApiSecret } from './api-secret.js';
import { CANARY_POSTS_AN_HOUR } from './canary.js';
import type { Environment } from './environments.js';
import { share } from './expressions.js';
import { acknowledge } from './findings.js';
import { type IngestProps, settingsOf } from './ingest.js';
import { Program } from './program.js';

/** Kinesis may take twenty seconds of it; API Gateway waits for 29. */
const TIMEOUT = Duration.seconds(28);

/** Posts of five minutes of which something is refused, before they are a rate: single events can be wrong. */
const LEAST_REFUSED = 20;

export interface EventsDoorProps extends IngestProps {
  readonly api: Api;
}

/** Takes what is posted: Currents' custom HTTP connector, and Braze's webhooks. */
export class EventsDoor extends Construct {
  readonly program: Program;
  readonly secret: ApiSecret;

  constructor(scope: Construct, id: string, props: EventsDoorProps) {
    super(scope, id);
    const { alarms, api, encryption, environment, records } = props;
    this.secret = new ApiSecret(this, 'Secret', {
      encryption,
      environment,
      is: 'Token that Braze sends with events and attributes',
      outputIs: 'Holds the token to give to Braze for events and attributes',
    });
    this.program = new Program(this, 'Program', {
      name: 'events-door',
      program: 'ingest',
      failureRings: 'page',
      codePath: props.codePath,
      environment,
      alarms,
      memoryMiB: environment.ingest.doorMemoryMiB,
      timeout: TIMEOUT,
      reservedConcurrency: environment.ingest.doorMaxInstances,
      // It leaves nothing to itself: what it does not take, Braze sends again.
      settings: { ...settingsOf(props), CONTINUATION_QUEUE_URL: '', EVENTS_SECRET_ARN: this.secret.arn },
    });
    const { role } = this.program;
    props.registry.grantFollow(role);
    records.stream.grant(role, 'kinesis:PutRecords');
    encryption.grant(role, 'streamWritten');
    this.secret.grantRead(role);
    const method = api.gateway.root
      .addResource(POSTS)
      .addMethod(
        'POST',
        new apigateway.LambdaIntegration(this.program.live, { allowTestInvoke: false }),
        api.withCredentials,
      );
    acknowledge(method, 'APIG4', 'the function checks the token, of the kind that Braze can send');
    acknowledge(method, 'COG4', 'Braze sends a token of its own, and none of Cognito');
    this.watch(alarms, api, environment);
    new CfnOutput(this, 'Url', {
      description: "Braze's webhooks and Currents' custom HTTP connector post to this",
      value: `${api.url}${POSTS}`,
    });
  }

  private watch(alarms: Alarms, api: Api, { canary }: Environment): void {
    alarms.watch(this, {
      name: 'posts-refused',
      means: 'More than one in ten posts of events or attributes is refused: a wrong token, body or address.',
      rings: 'page',
      metric: share({
        label: 'refused',
        bad: this.program.measured('posts_refused'),
        all: api.posts('Count', 'Sum'),
        least: LEAST_REFUSED,
      }),
      above: 0.1,
      periods: 3,
    });
    const { posts } = alarms.settings.silenceHours;
    if (posts !== undefined) {
      alarms.watch(this, {
        name: 'no-posts',
        means: `Nothing was posted for ${posts} hours${canary === undefined ? '' : ' but by the canary'}.`,
        rings: 'page',
        metric: api.posts('Count', 'Sum').with({ period: HOUR }),
        below: 1 + (canary === undefined ? 0 : CANARY_POSTS_AN_HOUR),
        periods: posts,
      });
    }
  }
}
