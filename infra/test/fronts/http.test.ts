import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';

import { DEV, example, FRONTS, VARIANTS } from '../example.js';
import { alarm } from '../watched.js';

const { template } = example(FRONTS.http);
const { template: plain } = example(VARIANTS['an HTTP API without a domain']);

const [stage] = Object.values(template.findResources('AWS::ApiGatewayV2::Stage'));
const routes = Object.entries(template.findResources('AWS::ApiGatewayV2::Route'));

test('look-ups beyond what an operator allows are refused, and paths that ask for no credentials sooner', () => {
  const { burst, rate } = FRONTS.http.api.throttle!;

  expect(stage?.Properties).toMatchObject({
    DefaultRouteSettings: { DetailedMetricsEnabled: true, ThrottlingBurstLimit: burst, ThrottlingRateLimit: rate },
    RouteSettings: {
      'ANY /{proxy+}': { DetailedMetricsEnabled: true, ThrottlingBurstLimit: 20, ThrottlingRateLimit: 10 },
    },
  });
  // API Gateway refuses settings of routes that are not there.
  const [[slow] = []] = routes.filter(([, { Properties }]) => Properties.RouteKey === 'ANY /{proxy+}');
  expect(stage?.['DependsOn']).toContain(slow);
});

test('the stage stands in no path, so that the function sees its own paths', () => {
  expect(stage?.Properties).toMatchObject({ AutoDeploy: true, StageName: '$default' });
  const parts = ['https://', Match.anyValue(), '.execute-api.', Match.anyValue(), '.', Match.anyValue(), '/'];
  plain.hasOutput('*', { Value: { 'Fn::Join': ['', parts] } });
});

test('whatever is called, a function says what would be right: posts one, and all else the other', () => {
  const byKey = Object.fromEntries(
    routes.map(([, { Properties }]) => [Properties.RouteKey, Properties.Target['Fn::Join'][1][1].Ref]),
  );
  const integrations = template.findResources('AWS::ApiGatewayV2::Integration');
  const of = (key: string) => {
    const { IntegrationUri, PayloadFormatVersion } = integrations[byKey[key]]?.Properties ?? {};
    return [IntegrationUri.Ref.replace(/[0-9A-F]{8}$/, ''), PayloadFormatVersion];
  };

  expect(Object.keys(byKey).sort()).toEqual(['ANY /', 'ANY /{proxy+}', 'POST /events']);
  expect([of('ANY /'), of('ANY /{proxy+}')]).toEqual(Array(2).fill(['ApiProgramLive', '2.0']));
  // The program that takes posts reads no other form.
  expect(of('POST /events')).toEqual(['EventsDoorProgramLive', '1.0']);
});

test('every call is written down as by a REST API, without the query and the path that name a user', () => {
  const [rest] = Object.values(example(DEV).template.findResources('AWS::ApiGateway::Stage'));
  const format: string = stage?.Properties.AccessLogSettings.Format;

  expect(JSON.parse(format)).toEqual({
    ...JSON.parse(rest?.Properties.AccessLogSetting.Format),
    resource: '$context.routeKey',
  });
  expect(format).not.toMatch(/querystring|\$context\.path|requestOverride/);
});

test('users without content are no refused look-ups where they get a 404', () => {
  const { api } = FRONTS.http;
  const { template } = example({ ...FRONTS.http, api: { ...api, unknownUser: 'not-found' } });
  const filters = Object.values(template.findResources('AWS::Logs::MetricFilter'));

  expect(filters.map(({ Properties }) => Properties.FilterPattern).sort()).toEqual([
    '{ ($.resource != "POST /events") && ($.status = "4*") && ($.status != "404") }',
    '{ ($.resource != "POST /events") && (($.status != "4*") || ($.status = "404")) }',
  ]);
  expect(alarm(template, 'look-ups-refused').metrics).toContain('LookUpsRefused');
});

test('posts are told from look-ups by the metrics of their route', () => {
  const dimensions = alarm(template, 'no-posts').properties['Metrics'][1].MetricStat.Metric.Dimensions;

  expect(dimensions).toEqual([
    { Name: 'ApiId', Value: { Ref: expect.stringMatching(/^ApiHttpApi/) } },
    { Name: 'Method', Value: 'POST' },
    { Name: 'Resource', Value: '/events' },
    { Name: 'Stage', Value: '$default' },
  ]);
});

test('the address of its own is the one that a REST API has, so that a stage can change between the two', () => {
  const rest = example(FRONTS.rest).template;
  const domain = (of: typeof template) => of.findResources('AWS::ApiGateway::DomainName');

  expect(domain(template)).toEqual(domain(rest));
  template.hasResourceProperties('AWS::ApiGatewayV2::ApiMapping', {
    ApiId: { Ref: Match.stringLikeRegexp('^ApiHttpApi') },
    ApiMappingKey: 'personal',
    DomainName: { Ref: Match.stringLikeRegexp('^ApiDomainName') },
    Stage: { Ref: Match.stringLikeRegexp('^ApiStage') },
  });
  plain.resourceCountIs('AWS::ApiGateway::DomainName', 0);
});

test('nothing of a REST API is left', () => {
  for (const type of ['RestApi', 'Account', 'Method', 'Stage', 'BasePathMapping']) {
    template.resourceCountIs(`AWS::ApiGateway::${type}`, 0);
  }
});
