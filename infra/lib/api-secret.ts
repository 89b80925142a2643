import { CfnOutput, SecretValue } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

import type { Encryption } from './encryption.js';
import type { Environment } from './environments.js';
import { acknowledge } from './findings.js';
import { keptIf } from './removal.js';

/** Letters and digits, so that it fits into a header and a URL: more than 230 bits. */
const PASSWORD_LENGTH = 40;

/** User name of Basic credentials; no secret. */
const USER_NAME = 'braze';

/** Name of the other field. */
const PASSWORD = 'password';

export interface ApiSecretProps {
  readonly encryption: Encryption;
  readonly environment: Environment;
  /** What it is, for a person. */
  readonly is: string;
  /** The same for who looks for its address. */
  readonly outputIs: string;
}

/**
 * The credentials that Braze sends: `{"username": "braze", "password": "..."}`, the password
 * also alone as a token. The deployment generates it, so nobody has chosen or seen it.
 *
 * Two are valid at once: Secrets Manager keeps the version before (`AWSPREVIOUS`) when a new
 * one is stored (`AWSCURRENT`), so that Braze can be given the new one without a gap.
 */
export class ApiSecret extends Construct {
  readonly arn: string;

  private readonly secret: secretsmanager.Secret;
  private readonly encryption: Encryption;

  constructor(scope: Construct, id: string, { encryption, environment, is, outputIs }: ApiSecretProps) {
    super(scope, id);
    this.encryption = encryption;
    this.secret = new secretsmanager.Secret(this, 'Secret', {
      description: is,
      encryptionKey: encryption.content,
      generateSecretString: {
        excludePunctuation: true,
        generateStringKey: PASSWORD,
        passwordLength: PASSWORD_LENGTH,
        secretStringTemplate: JSON.stringify({ username: USER_NAME }),
      },
      removalPolicy: keptIf(environment.production),
    });
    this.arn = this.secret.secretArn;
    acknowledge(this.secret, 'SMG4', 'a person must tell Braze a new password, and so changes it');
    new CfnOutput(this, 'Arn', {
      description: outputIs,
      value: this.arn,
    });
  }

  /** For who calls as Braze does, by the user name. */
  get basic(): events.Authorization {
    return events.Authorization.basic(USER_NAME, this.password);
  }

  /** For who calls as Braze does, with the password alone. */
  get bearer(): events.Authorization {
    // What stands here is a reference, which the deployment puts the password in place of.
    const value = SecretValue.unsafePlainText(`Bearer ${this.password.unsafeUnwrap()}`);
    return events.Authorization.apiKey('Authorization', value);
  }

  private get password(): SecretValue {
    return this.secret.secretValueFromJson(PASSWORD);
  }

  grantRead(grantee: iam.IRole): void {
    grantee.addToPrincipalPolicy(
      new iam.PolicyStatement({
        actions: ['secretsmanager:GetSecretValue'],
        resources: [this.arn],
      }),
    );
    this.encryption.grant(grantee, 'secretsRead');
  }
}
