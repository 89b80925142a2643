import type { Check, Decision } from './evaluator.js';

/** An answer of AWS. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Refuses a request as the service does, in its protocol. */
export function refusal(service: string, role: string, { action, resource }: Check, decision: Decision): Answer {
  const why =
    decision === 'denied'
      ? 'with an explicit deny in an identity-based policy'
      : `because no identity-based policy allows the ${action} action`;
  const message = `User: ${role} is not authorized to perform: ${action} on resource: ${resource} ${why}`;
  switch (service) {
    case 's3':
      return xml(message);
    case 'bedrock':
    case 'lambda':
      return json(403, 'AccessDeniedException', message);
    case 'sqs':
      return ofQueue(action.startsWith('kms:') ? 'KMS.AccessDeniedException' : 'AccessDenied', message);
    case 'kinesis':
      return json(400, action.startsWith('kms:') ? 'KMSAccessDeniedException' : 'AccessDeniedException', message);
    default:
      return json(400, 'AccessDeniedException', message);
  }
}

/** Both where the code stands in a header and where it stands in the body. */
function json(status: number, code: string, message: string): Answer {
  return {
    status,
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-errortype': code },
    body: JSON.stringify({ __type: `com.amazon.coral.service#${code}`, Message: message, message }),
  };
}

/** SQS has other names for codes since it speaks JSON, and says those of before in a header. */
function ofQueue(code: string, message: string): Answer {
  const { headers, ...rest } = json(403, 'AccessDeniedException', message);
  return { ...rest, headers: { ...headers, 'x-amzn-query-error': `${code};Sender` } };
}

function xml(message: string): Answer {
  const said = message.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return {
    status: 403,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>${said}</Message></Error>`,
  };
}
