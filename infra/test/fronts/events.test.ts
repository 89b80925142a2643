import { expect, test } from 'vitest';

import alb from '../../../api/tests/fronts/alb.json' with { type: 'json' };
import http from '../../../api/tests/fronts/http.json' with { type: 'json' };
import rest from '../../../api/tests/fronts/rest.json' with { type: 'json' };
import url from '../../../api/tests/fronts/url.json' with { type: 'json' };
import { ALB, example, FRONTS } from '../example.js';

/** Properties of all resources of a type behind a front. */
function of(front: keyof typeof FRONTS, type: string): Record<string, any>[] {
  return Object.values(example(FRONTS[front]).template.findResources(type)).map(({ Properties }) => Properties);
}

test('the event of a REST API that the api is tried with is one of this stage, for the root', () => {
  const [stage] = of('rest', 'AWS::ApiGateway::Stage');

  expect(rest.requestContext.stage).toBe(stage?.['StageName']);
  expect(rest.requestContext.path).toBe(`/${stage?.['StageName']}/`);
  expect(rest.resource).toBe('/');
});

test('the event of an HTTP API is one of a route and a stage that there are, in the form that is asked for', () => {
  const routes = of('http', 'AWS::ApiGatewayV2::Route').map(({ RouteKey }) => RouteKey);
  const [stage] = of('http', 'AWS::ApiGatewayV2::Stage');
  const forms = of('http', 'AWS::ApiGatewayV2::Integration').map(({ PayloadFormatVersion }) => PayloadFormatVersion);

  expect(routes).toContain(http.routeKey);
  expect(http.requestContext.stage).toBe(stage?.['StageName']);
  expect(forms).toContain(http.version);
});

test('the event of a load balancer is for its host, and has each header once', () => {
  expect(alb.headers.host).toBe(ALB.hostName);
  expect(Object.keys(alb)).not.toContain('multiValueHeaders');
});

test('the event of a URL is of somebody who signed nothing', () => {
  const kinds = of('url', 'AWS::Lambda::Url').map(({ AuthType }) => AuthType);

  expect(new Set(kinds)).toEqual(new Set(['NONE']));
  expect(url.requestContext.accountId).toBe('anonymous');
  expect(Object.keys(url.requestContext)).not.toContain('authorizer');
});
