//! A request as what stands before the function hands it over, and the answer back: API Gateway (both
//! kinds of API, here in the form of a REST API), a load balancer, or the function's own URL.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html>
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::Answer;

/// A request.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// The front's id of it; empty behind a load balancer, which gives none.
    pub id: String,
}

/// Tells whether an invocation is a request over HTTP.
pub fn is_request(event: &Value) -> bool {
    method(event).is_some()
}

/// The method, in the form of a REST API and a load balancer, or in that of a URL.
fn method(event: &Value) -> Option<&str> {
    event["httpMethod"].as_str().or_else(|| event["requestContext"]["http"]["method"].as_str())
}

impl Request {
    /// Reads a request; what of it makes no sense is left out, and refused for what is missing.
    pub fn of(event: &Value) -> Self {
        let method = method(event).and_then(|method| method.parse().ok());
        let mut headers = HeaderMap::new();
        let pairs = |name: &str| event[name].as_object().cloned().unwrap_or_default();
        for (name, values) in pairs("multiValueHeaders") {
            for value in values.as_array().into_iter().flatten() {
                add(&mut headers, &name, value);
            }
        }
        if headers.is_empty() {
            pairs("headers").iter().for_each(|(name, value)| add(&mut headers, name, value));
        }
        let body = event["body"].as_str().unwrap_or_default();
        let body = match event["isBase64Encoded"].as_bool() {
            // What is none is no JSON either, and refused for that.
            Some(true) => STANDARD.decode(body).unwrap_or_else(|_| body.as_bytes().to_vec()),
            _ => body.as_bytes().to_vec(),
        };
        let id = event["requestContext"]["requestId"].as_str().unwrap_or_default().to_owned();
        Self { method: method.unwrap_or_default(), headers, body, id }
    }
}

fn add(headers: &mut HeaderMap, name: &str, value: &Value) {
    let name = HeaderName::try_from(name).ok();
    let value = value.as_str().and_then(|value| HeaderValue::try_from(value).ok());
    if let (Some(name), Some(value)) = (name, value) {
        headers.append(name, value);
    }
}

impl Answer {
    /// As every front takes it: a load balancer asks for all four.
    pub fn to_gateway(&self) -> Value {
        let mut headers = json!({ "content-type": "application/json" });
        for (name, value) in &self.headers {
            headers[name.as_str()] = json!(value);
        }
        json!({
            "statusCode": self.status.as_u16(),
            "headers": headers,
            "body": self.body,
            "isBase64Encoded": false,
        })
    }
}
