import { CfnOutput } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import { Construct } from 'constructs';

import type { DomainSettings } from '../environments.js';

/**
 * An address that outlives the API behind it: messages in Braze hold the address, and the one
 * that API Gateway makes up is another one after the stack was made anew. It is of the kind that
 * REST and HTTP APIs can both be led to by.
 * <https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mappings.html>
 */
export class ApiDomain extends Construct {
  /** What Braze calls. */
  readonly url: string;
  /** What an API is led to by. */
  readonly name: apigateway.DomainName;

  constructor(scope: Construct, id: string, { basePath, certificateArn, name }: DomainSettings) {
    super(scope, id);
    this.name = new apigateway.DomainName(this, 'Name', {
      certificate: acm.Certificate.fromCertificateArn(this, 'Certificate', certificateArn),
      domainName: name,
      endpointType: apigateway.EndpointType.REGIONAL,
      securityPolicy: apigateway.SecurityPolicy.TLS_1_2,
    });
    this.url = `https://${name}/${basePath ?? ''}`;
    new CfnOutput(this, 'Target', {
      description: `Where the DNS of ${name} must point, by CNAME or alias`,
      value: this.name.domainNameAliasDomainName,
    });
  }
}
