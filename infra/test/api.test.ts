import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';

import { CERTIFICATE, CLOSED, DEV, EVERYTHING, example, PROD } from './example.js';

const { template } = example();

test('the api asks for a secret that nobody chose, and may read no other', () => {
  const [secret] = Object.keys(template.findResources('AWS::SecretsManager::Secret'));

  template.hasResourceProperties('AWS::SecretsManager::Secret', {
    GenerateSecretString: {
      ExcludePunctuation: true,
      GenerateStringKey: 'password',
      PasswordLength: 40,
      SecretStringTemplate: '{"username":"braze"}',
    },
  });
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: { CREDENTIALS_SECRET_ARN: { Ref: secret } } },
  });
});

test('look-ups beyond what an operator allows are refused before they cost anything', () => {
  template.hasResourceProperties('AWS::ApiGateway::Stage', {
    MethodSettings: Match.arrayWith([
      Match.objectLike({
        HttpMethod: '*',
        ResourcePath: '/*',
        ThrottlingBurstLimit: DEV.api.throttle?.burst,
        ThrottlingRateLimit: DEV.api.throttle?.rate,
      }),
    ]),
  });
});

test('whoever sends no credentials starts no function, and is told the same as by the function', () => {
  const [[validator] = []] = Object.entries(template.findResources('AWS::ApiGateway::RequestValidator', {
    Properties: { ValidateRequestParameters: true },
  }));
  const methods = Object.values(template.findResources('AWS::ApiGateway::Method')).map(({ Properties }) => Properties);
  const asking = methods.filter(({ RequestParameters }) => RequestParameters?.['method.request.header.Authorization']);

  // Look-ups and posts; what is left are paths that ask for none.
  expect(asking.map(({ HttpMethod }) => HttpMethod).sort()).toEqual(['ANY', 'POST']);
  expect(asking.map(({ RequestValidatorId }) => RequestValidatorId)).toEqual(Array(2).fill({ Ref: validator }));
  template.hasResourceProperties('AWS::ApiGateway::GatewayResponse', {
    ResponseParameters: { 'gatewayresponse.header.WWW-Authenticate': `'Basic realm="content", charset="UTF-8"'` },
    ResponseTemplates: { 'application/json': Match.stringLikeRegexp('^\\{"error":\\{"code":"unauthorized","message":') },
    ResponseType: 'BAD_REQUEST_PARAMETERS',
    StatusCode: '401',
  });
});

test('/health and /openapi.json stay open, at a rate that no flood can use, whatever the method', () => {
  const resources = Object.entries(template.findResources('AWS::ApiGateway::Resource'));
  const [[rest] = []] = resources.filter(([, { Properties }]) => Properties.PathPart === '{proxy+}');
  const [open] = Object.values(
    template.findResources('AWS::ApiGateway::Method', { Properties: { ResourceId: { Ref: rest } } }),
  );
  const [stage] = Object.values(template.findResources('AWS::ApiGateway::Stage'));
  const settings: Record<string, unknown>[] = stage?.Properties.MethodSettings;
  const slow = settings.filter(({ ResourcePath }) => String(ResourcePath).includes('proxy+'));

  expect(open?.Properties.RequestValidatorId).toBeUndefined();
  expect(slow).toHaveLength(7);
  for (const each of slow) {
    expect(each).toMatchObject({ MetricsEnabled: true, ThrottlingBurstLimit: 20, ThrottlingRateLimit: 10 });
  }
});

test('in production look-ups have instances of their own: a flood takes no more, and nothing else takes those', () => {
  const reserved = (of: typeof template) => {
    const functions = Object.entries(of.findResources('AWS::Lambda::Function'));
    const [, api] = functions.find(([id]) => id.startsWith('ApiProgram')) ?? [];
    return api?.Properties.ReservedConcurrentExecutions;
  };

  expect(reserved(example(PROD).template)).toBe(PROD.api.maxInstances);
  expect(reserved(template)).toBeUndefined();
});

test('what production reserves fits into the concurrency that an account has by default, with room for files', () => {
  const functions = Object.values(example(PROD).template.findResources('AWS::Lambda::Function'));
  const reserved = functions.map(({ Properties }) => Properties.ReservedConcurrentExecutions ?? 0);
  const left = 1000 - reserved.reduce((sum, each) => sum + each);

  // Lambda keeps a hundred, and ingest takes its instances from what is left.
  expect(left).toBeGreaterThanOrEqual(100 + PROD.ingest.maxConcurrency);
});

test('every call is written down, without the query that names a user', () => {
  const [stage] = Object.values(template.findResources('AWS::ApiGateway::Stage'));
  const { Format } = stage?.Properties.AccessLogSetting;

  expect(Object.keys(JSON.parse(Format))).toContain('status');
  expect(Format).not.toMatch(/querystring|\$context\.path|requestOverride/);
  expect(stage?.Properties.MethodSettings[0].DataTraceEnabled).toBeFalsy();
});

test('whatever is called, the function says what would be right', () => {
  const methods = Object.values(template.findResources('AWS::ApiGateway::Method'));

  // The root and what is below it, and the door for events.
  expect(methods.map(({ Properties }) => Properties.HttpMethod).sort()).toEqual(['ANY', 'ANY', 'POST']);
  for (const { Properties } of methods) {
    expect(Properties).toMatchObject({ Integration: { Type: 'AWS_PROXY' } });
  }
});

test('who is not on the list of networks is refused, if there is one', () => {
  example(CLOSED).template.hasResourceProperties('AWS::ApiGateway::RestApi', {
    Policy: {
      Statement: [
        {
          Action: 'execute-api:Invoke',
          Condition: { IpAddress: { 'aws:SourceIp': ['192.0.2.0/24'] } },
          Effect: 'Allow',
          Principal: { AWS: '*' },
          Resource: 'execute-api:/v1/*',
        },
      ],
    },
  });
  template.hasResourceProperties('AWS::ApiGateway::RestApi', { Policy: Match.absent() });
});

test('AWS WAF stands in front if an operator asks for it, keeps no sample, and by itself counts no address', () => {
  const { template: guarded } = example({ ...DEV, api: { ...DEV.api, webAcl: true } });

  guarded.resourceCountIs('AWS::WAFv2::WebACLAssociation', 1);
  guarded.hasResourceProperties('AWS::WAFv2::WebACL', {
    Rules: Match.arrayWith([
      Match.objectLike({ VisibilityConfig: Match.objectLike({ SampledRequestsEnabled: false }) }),
    ]),
  });
  expect(JSON.stringify(guarded.findResources('AWS::WAFv2::WebACL'))).not.toContain('RateBased');
  template.resourceCountIs('AWS::WAFv2::WebACL', 0);
});

test('AWS WAF limits every address but those that make all calls, of either version', () => {
  const { template: guarded } = example(EVERYTHING);
  const [acl] = Object.values(guarded.findResources('AWS::WAFv2::WebACL'));
  const [first] = acl?.Properties.Rules;
  const sets = Object.values(guarded.findResources('AWS::WAFv2::IPSet')).map(({ Properties }) => [
    Properties.IPAddressVersion,
    Properties.Addresses,
  ]);

  expect(first).toMatchObject({
    Action: { Block: {} },
    Priority: 0,
    Statement: {
      RateBasedStatement: {
        AggregateKeyType: 'IP',
        EvaluationWindowSec: 300,
        Limit: 3000,
        ScopeDownStatement: { NotStatement: { Statement: { OrStatement: { Statements: [{}, {}] } } } },
      },
    },
    VisibilityConfig: { SampledRequestsEnabled: false },
  });
  expect(Object.fromEntries(sets)).toEqual({
    IPV4: ['192.0.2.0/24', '198.51.100.7/32'],
    IPV6: ['2001:db8::/32'],
  });
});

test("the account's role for logs is made once, and stays for the other APIs of the region", () => {
  template.hasResource('AWS::ApiGateway::Account', { DeletionPolicy: 'RetainExceptOnCreate' });
  const exists = example({ ...DEV, api: { ...DEV.api, accountLogsRole: 'exists' } });
  exists.template.resourceCountIs('AWS::ApiGateway::Account', 0);
});

test('users without content are no refused look-ups where they get a 404', () => {
  const { template } = example({ ...DEV, api: { ...DEV.api, unknownUser: 'not-found' } });
  const filters = template.findResources('AWS::Logs::MetricFilter', {
    Properties: { MetricTransformations: [{ MetricName: 'LookUpsRefused' }] },
  });
  const values = Object.values(filters).map(({ Properties }) => [
    Properties.MetricTransformations[0].MetricValue,
    Properties.FilterPattern,
  ]);

  expect(Object.fromEntries(values)).toEqual({
    0: '{ ($.resource != "/events") && (($.status != "4*") || ($.status = "404")) }',
    1: '{ ($.resource != "/events") && ($.status = "4*") && ($.status != "404") }',
  });
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    AlarmDescription: Match.stringLikeRegexp('#look-ups-refused$'),
    Metrics: Match.arrayWith([
      Match.objectLike({ MetricStat: Match.objectLike({ Metric: Match.objectLike({ MetricName: 'LookUpsRefused' }) }) }),
    ]),
    Threshold: 0.1,
  });
});

test.each([
  ['look-ups-refused', ['4XXError', 'Count'], 0.1],
  ['look-ups-failing', ['5XXError', 'Count'], 0.01],
])('%s rings for %s of look-ups, and for no post', (chapter, counted, threshold) => {
  const alarms = template.findResources('AWS::CloudWatch::Alarm', {
    Properties: { AlarmDescription: Match.stringLikeRegexp(`#${chapter}$`) },
  });
  const [alarm] = Object.values(alarms);
  const metrics: { Expression?: string; MetricStat?: { Metric: { MetricName: string; Dimensions: unknown[] } } }[] =
    alarm?.Properties.Metrics;
  const all = metrics.flatMap(({ MetricStat }) => (MetricStat === undefined ? [] : [MetricStat.Metric]));

  for (const name of counted) {
    const dimensions = all.filter(({ MetricName }) => MetricName === name).map((each) => each.Dimensions.length);
    // Those of the API as a whole, and of the resource that is taken off.
    expect(dimensions.sort()).toEqual([1, 4]);
  }
  expect(metrics.filter(({ Expression }) => Expression?.includes('FILL(posts_'))).toHaveLength(counted.length);
  expect(alarm?.Properties.Threshold).toBe(threshold);
});

test('two stages in one account have metrics of their own', () => {
  template.hasResourceProperties('AWS::ApiGateway::RestApi', { Name: 'Test' });
});

test('no trace keeps the query that names a user', () => {
  template.hasResourceProperties('AWS::ApiGateway::Stage', { TracingEnabled: false });
});

test('nobody calls with an old TLS, by a policy that API Gateway takes for an API', () => {
  template.hasResourceProperties('AWS::ApiGateway::RestApi', {
    EndpointAccessMode: 'BASIC',
    SecurityPolicy: Match.stringLikeRegexp('^SecurityPolicy_TLS13_1_2_'),
  });
});

test('a domain of its own gives an address that outlives the API behind it', () => {
  const { template } = example(EVERYTHING);

  template.hasResourceProperties('AWS::ApiGateway::DomainName', {
    DomainName: 'content.example.com',
    EndpointConfiguration: { Types: ['REGIONAL'] },
    RegionalCertificateArn: EVERYTHING.api.domain?.certificateArn,
    SecurityPolicy: 'TLS_1_2',
  });
  template.hasResourceProperties('AWS::ApiGateway::BasePathMapping', {
    BasePath: 'personal',
    DomainName: { Ref: Match.stringLikeRegexp('^ApiDomain') },
    RestApiId: { Ref: Match.stringLikeRegexp('^ApiGateway') },
    Stage: { Ref: Match.stringLikeRegexp('^ApiGatewayDeploymentStage') },
  });
  template.hasOutput('*', { Value: 'https://content.example.com/personal' });
  template.hasOutput('*', {
    Value: { 'Fn::GetAtt': [Match.stringLikeRegexp('^ApiDomain'), 'RegionalDomainName'] },
  });
});

test('a domain without a base path is all of the address', () => {
  const domain = { name: 'content.example.com', certificateArn: CERTIFICATE };
  const { template } = example({ ...DEV, api: { ...DEV.api, domain } });

  template.hasResourceProperties('AWS::ApiGateway::BasePathMapping', { BasePath: Match.absent() });
  template.hasOutput('*', { Value: 'https://content.example.com/' });
});

test('without a domain there is none, and the address is the one of the API', () => {
  template.resourceCountIs('AWS::ApiGateway::DomainName', 0);
  template.resourceCountIs('AWS::ApiGateway::BasePathMapping', 0);
});
