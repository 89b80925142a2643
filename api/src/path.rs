//! Which path of the api was called, whatever stands before it in the URL.
//!
//! Behind a custom domain with a base path (`https://content.example.com/personal`) API Gateway
//! hands over the whole path, `/personal`. What it matched tells the rest: the resource `/`, or
//! `/{proxy+}` with what stands in its place. So a path that is wrong stays wrong, and only what
//! the operator put before the api's own paths is left out.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mappings.html>

use std::borrow::Cow;

use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt as _};

/// The stage of an HTTP API that stands in no path, and the route that takes everything.
const DEFAULT: &str = "$default";

/// The path that was called, as the api knows it.
pub fn path(request: &Request) -> Cow<'_, str> {
    let raw = request.raw_http_path();
    let (matched, stage) = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => {
            (context.resource_path.as_deref(), context.stage.as_deref())
        }
        // Method and path: `ANY /`.
        Some(RequestContext::ApiGatewayV2(context)) => {
            let route = context.route_key.as_deref();
            let path = route.map(|route| route.split_once(' ').map_or(route, |(_, path)| path));
            (path, context.stage.as_deref())
        }
        _ => (None, None),
    };
    let rest = |name| {
        let parameters = request.path_parameters_ref()?;
        parameters.first(name).map(|rest| Cow::Owned(format!("/{}", rest.trim_end_matches('/'))))
    };
    match matched.filter(|matched| *matched != DEFAULT) {
        Some("/") => Cow::Borrowed("/"),
        Some(resource) => rest_of(resource).and_then(rest).unwrap_or(Cow::Borrowed(raw)),
        None => Cow::Borrowed(stage.map_or(raw, |stage| without_stage(raw, stage))),
    }
}

/// The name of the part that takes all paths, of a resource that is nothing else.
fn rest_of(resource: &str) -> Option<&str> {
    resource.strip_prefix("/{")?.strip_suffix("+}")
}

/// HTTP APIs put the name of a stage before the path.
fn without_stage<'a>(raw: &'a str, stage: &str) -> &'a str {
    let rest = raw.strip_prefix('/').and_then(|path| path.strip_prefix(stage));
    match rest {
        _ if stage == DEFAULT => raw,
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => raw,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An event of API Gateway as it reaches the function.
    fn rest(path: &str, resource: &str, name: &str, proxy: Option<&str>) -> Request {
        let event = json!({
            "resource": resource, "path": path, "httpMethod": "GET",
            "headers": { "Host": "content.example.com" }, "multiValueHeaders": {},
            "queryStringParameters": { "user_id": "u" },
            "multiValueQueryStringParameters": { "user_id": ["u"] },
            "pathParameters": proxy.map(|proxy| json!({ name: proxy })),
            "stageVariables": null, "body": null, "isBase64Encoded": false,
            "requestContext": {
                "accountId": "1", "apiId": "a", "resourceId": "r", "stage": "v1",
                "resourcePath": resource, "path": path, "httpMethod": "GET", "identity": {},
                "requestId": "i", "protocol": "HTTP/1.1",
            },
        });
        lambda_http::request::from_str(&event.to_string()).expect("is an event of API Gateway")
    }

    fn http(raw_path: &str, stage: &str, route: &str, proxy: Option<&str>) -> Request {
        let event = json!({
            "version": "2.0", "routeKey": route, "rawPath": raw_path, "rawQueryString": "user_id=u",
            "headers": { "host": "content.example.com" }, "isBase64Encoded": false,
            "pathParameters": proxy.map(|proxy| json!({ "proxy": proxy })),
            "requestContext": {
                "accountId": "1", "apiId": "a", "stage": stage, "requestId": "i",
                "routeKey": route, "time": "t", "timeEpoch": 1, "domainName": "d",
                "http": { "method": "GET", "path": raw_path, "protocol": "HTTP/1.1",
                          "sourceIp": "127.0.0.1", "userAgent": "Braze" },
            },
        });
        lambda_http::request::from_str(&event.to_string()).expect("is an event of API Gateway")
    }

    #[test]
    fn a_base_path_of_a_domain_is_no_part_of_the_path() {
        for (whole, resource, proxy, expected) in [
            ("/", "/", None, "/"),
            ("/personal", "/", None, "/"),
            ("/personal/", "/", None, "/"),
            ("/brand/personal", "/", None, "/"),
            ("/health", "/{proxy+}", Some("health"), "/health"),
            ("/personal/health", "/{proxy+}", Some("health"), "/health"),
            ("/personal/v1/foo", "/{proxy+}", Some("v1/foo"), "/v1/foo"),
            ("/v1/foo", "/{proxy+}", Some("v1/foo"), "/v1/foo"),
            // A domain without a mapping to one stage: the stage is the first part of its paths.
            ("/v1", "/", None, "/"),
            ("/v1/health", "/{proxy+}", Some("health"), "/health"),
            // A slash at the end, as some put it there.
            ("/personal/health/", "/{proxy+}", Some("health/"), "/health"),
            ("/personal/health/", "/{proxy+}", Some("health"), "/health"),
            // What somebody else called the part that takes all paths.
            ("/personal/health", "/{path+}", Some("health"), "/health"),
            // A resource that somebody added is none of ours.
            ("/personal", "/personal", None, "/personal"),
            ("/", "/{proxy+}", None, "/"),
        ] {
            let name = resource.trim_matches(['/', '{', '+', '}']);
            assert_eq!(path(&rest(whole, resource, name, proxy)), expected, "{whole}");
        }
    }

    #[test]
    fn an_http_api_tells_its_paths_too() {
        for (raw, stage, route, proxy, expected) in [
            ("/personal", "$default", "ANY /", None, "/"),
            ("/personal/", "$default", "GET /", None, "/"),
            ("/personal/health", "$default", "ANY /{proxy+}", Some("health"), "/health"),
            ("/personal/v1/foo", "$default", "ANY /{proxy+}", Some("v1/foo"), "/v1/foo"),
            ("/v1/", "v1", "GET /", None, "/"),
            // A route for everything tells no base path, but the stage is told.
            ("/health", "$default", "$default", None, "/health"),
            ("/v1", "v1", "$default", None, "/"),
            ("/v1/", "v1", "$default", None, "/"),
            ("/v1/health", "v1", "$default", None, "/health"),
            ("/v1/foo", "$default", "$default", None, "/v1/foo"),
            ("/v10/health", "v1", "$default", None, "/v10/health"),
        ] {
            assert_eq!(path(&http(raw, stage, route, proxy)), expected, "{raw} by {route}");
        }
    }

    #[test]
    fn an_http_api_may_write_its_events_in_the_older_format() {
        for (whole, resource, proxy, expected) in [
            ("/personal", "/", None, "/"),
            ("/personal/health", "/{proxy+}", Some("health"), "/health"),
            ("/v1/health", "$default", None, "/health"),
            ("/v1", "$default", None, "/"),
            ("/health", "$default", None, "/health"),
            ("/foo", "$default", None, "/foo"),
        ] {
            assert_eq!(path(&rest(whole, resource, "proxy", proxy)), expected, "{whole}");
        }
    }

    #[test]
    fn a_function_with_a_url_of_its_own_tells_its_paths_as_they_are() {
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/health", "rawQueryString": "",
            "headers": { "host": "id.lambda-url.us-east-1.on.aws" }, "isBase64Encoded": false,
            "requestContext": {
                "accountId": "anonymous", "apiId": "id", "stage": "$default", "requestId": "i",
                "routeKey": "$default", "time": "t", "timeEpoch": 1, "domainName": "d",
                "http": { "method": "GET", "path": "/health", "protocol": "HTTP/1.1",
                          "sourceIp": "127.0.0.1", "userAgent": "curl" },
            },
        });
        let request = lambda_http::request::from_str(&event.to_string()).expect("is an event");

        assert_eq!(path(&request), "/health");
    }
}
