import { CfnOutput, Duration } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';

import type { Alarms } from './alarms.js';
import { ApiSecret } from './api-secret.js';
import type { Encryption } from './encryption.js';
import type { Environment, FrontName } from './environments.js';
import { share } from './expressions.js';
import { AlbFront } from './fronts/alb.js';
import type { Front, FrontProps } from './fronts/front.js';
import { HttpFront } from './fronts/http.js';
import { RestFront } from './fronts/rest.js';
import { UrlFront } from './fronts/url.js';
import { Program } from './program.js';
import type { Registry } from './registry.js';
import { Shift } from './shift.js';
import type { Tables } from './tables.js';

/** Braze waits two seconds; what takes longer helps nobody, but a cold start may. */
const TIMEOUT = Duration.seconds(5);

/** Look-ups of five minutes that go wrong, before they are a rate. */
const LEAST_LOOK_UPS = 5;

/** Look-ups that get fallback content because the table or the secret cannot be read. */
const TROUBLE = ['lookups_failed', 'credentials_unverifiable'];

const FRONTS: Readonly<Record<FrontName, new (scope: Construct, props: FrontProps) => Front>> = {
  rest: RestFront,
  http: HttpFront,
  alb: AlbFront,
  url: UrlFront,
};

export interface ApiProps {
  readonly codePath: string;
  readonly environment: Environment;
  readonly alarms: Alarms;
  readonly encryption: Encryption;
  readonly registry: Registry;
  readonly tables: Tables;
}

/** What Braze calls at send time: the front, and the function behind it. */
export class Api extends Construct {
  readonly secret: ApiSecret;
  readonly program: Program;
  readonly front: Front;

  constructor(scope: Construct, id: string, props: ApiProps) {
    super(scope, id);
    const { environment } = props;
    this.secret = new ApiSecret(this, 'Secret', {
      ...props,
      is: 'Credentials that Braze sends to the api',
      outputIs: 'Holds the credentials to give to Braze',
    });
    this.program = this.answerer(props);
    this.front = new FRONTS[environment.api.front](this, { environment, program: this.program });
    const worse = this.watch(props.alarms);
    if (environment.production) {
      new Shift(this, 'Shift', { live: this.program.live, worse: [...worse, this.program.failing] });
    }
    new CfnOutput(this, 'Url', {
      description: 'Connected Content calls this, with ?user_id={{${braze_id}}}',
      value: this.front.address,
    });
  }

  /** The function, and what it may do. */
  private answerer(props: ApiProps): Program {
    const settings = props.environment.api;
    const program = new Program(this, 'Program', {
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
    props.registry.grantFollow(program.role);
    props.tables.content.grant(
      program.role,
      // Several campaigns in one look-up.
      'dynamodb:BatchGetItem',
      'dynamodb:GetItem',
    );
    props.encryption.grant(program.role, 'tables');
    this.secret.grantRead(program.role);
    return program;
  }

  /** Gives the alarms that ring when look-ups get worse. */
  private watch(alarms: Alarms): cloudwatch.Alarm[] {
    const { count, failed, latency, latencyUnit, refused } = this.front.lookUps;
    const failing = alarms.watch(this, {
      name: 'look-ups-failing',
      means: 'More than one in a hundred look-ups gets an error of the server in place of content.',
      rings: 'look-ups-stop',
      metric: share({
        label: 'failed',
        bad: failed,
        all: count,
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
      metric: share({ label: 'refused', bad: refused, all: count, least: LEAST_LOOK_UPS }),
      above: 0.1,
      periods: 3,
    });
    alarms.watch(this, {
      name: 'look-ups-slow',
      means: 'One in a hundred look-ups takes so long that Braze may give up.',
      rings: 'ticket',
      metric: latency('p99'),
      above: alarms.settings.lookUpMillis / (latencyUnit === 's' ? 1000 : 1),
      periods: 3,
      // At night each cold start would be the slowest of a hundred.
      ofMany: true,
    });
    return [failing, fallBack];
  }
}
