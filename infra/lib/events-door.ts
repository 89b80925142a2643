import { CfnOutput, Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';

import { type Alarms, HOUR } from './alarms.js';
import type { Api } from './api.js';
import { ApiSecret } from './api-secret.js';
import { CANARY_POSTS_AN_HOUR } from './canary.js';
import type { Environment } from './environments.js';
import { share } from './expressions.js';
import type { Posts } from './fronts/front.js';
import { type IngestProps, settingsOf } from './ingest.js';
import { Program } from './program.js';

/** Kinesis may take twenty seconds of it; no front waits for less than 29. */
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
  /** Where it is called, and what is counted of that. */
  readonly posts: Posts;

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
    this.posts = api.front.take(this.program.live);
    this.watch(alarms, environment);
    new CfnOutput(this, 'Url', {
      description: "Braze's webhooks and Currents' custom HTTP connector post to this",
      value: this.posts.url,
    });
  }

  private watch(alarms: Alarms, { canary }: Environment): void {
    alarms.watch(this, {
      name: 'posts-refused',
      means: 'More than one in ten posts of events or attributes is refused: a wrong token, body or address.',
      rings: 'page',
      metric: share({
        label: 'refused',
        bad: this.program.measured('posts_refused'),
        all: this.posts.count,
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
        metric: this.posts.count.with({ period: HOUR }),
        below: 1 + (canary === undefined ? 0 : CANARY_POSTS_AN_HOUR),
        periods: posts,
      });
    }
  }
}
