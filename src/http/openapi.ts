import { PROBLEM_TYPE } from '../wire/index.ts';
import type { Route, Schema } from './route.ts';
import { shape, shapes } from './shapes.ts';

/** Describes routes in OpenAPI 3.1: the same objects that answer, and the same schemas that validate. */
export function describeRoutes(routes: readonly Route[]): Schema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll('+}', '}');
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operation(route, path);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Indelible',
      version: '1',
      description:
        'An append-only, tamper-evident audit log. Errors are problem documents with stable codes.',
    },
    paths,
    components: {
      schemas: shapes,
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key, ind_…' },
        session: { type: 'apiKey', in: 'cookie', name: '__Host-indelible' },
      },
    },
  };
}

function operation(route: Route, path: string): Schema {
  const { access, body } = route;
  const isOpen = access === 'public' && !path.includes('{log}');
  const anonymous = access === 'public' ? [{}] : [];
  return {
    operationId: route.operationId,
    summary: route.summary,
    security: isOpen ? [] : [...anonymous, { key: [] }, { session: [] }],
    ...(typeof access === 'string' ? {} : { 'x-scopes': access }),
    parameters: [...pathParameters(path), ...queryParameters(route.query)],
    ...(body === undefined ? {} : { requestBody: { required: true, content: contentOf(body) } }),
    responses: responsesOf(route),
  };
}

function contentOf({ contentTypes, schema }: NonNullable<Route['body']>): Schema {
  return Object.fromEntries(contentTypes.map((type) => [type, schema === undefined ? {} : { schema }]));
}

function pathParameters(path: string): Schema[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(query: Schema | undefined): Schema[] {
  const required = (query?.['required'] ?? []) as readonly string[];
  return Object.entries((query?.['properties'] ?? {}) as Record<string, Schema>).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
}

function responsesOf(route: Route): Schema {
  const responses: Record<string, unknown> = {};
  for (const [status, { description, contentType = 'application/json', schema }] of Object.entries(
    route.answers,
  )) {
    const types = typeof contentType === 'string' ? [contentType] : contentType;
    const content = Object.fromEntries(types.map((type) => [type, { schema: schemaOf(type, schema) }]));
    const isEmpty = status === '204' || status === '304';
    responses[status] = { description, ...(isEmpty ? {} : { content }) };
  }
  responses['default'] = {
    description: 'A problem (RFC 9457).',
    content: { [PROBLEM_TYPE]: { schema: shape('Problem') } },
  };
  return responses;
}

/** What is not JSON is text or bytes, of which a schema says no more. */
function schemaOf(type: string, schema: Schema | undefined): Schema {
  if (type === PROBLEM_TYPE) return shape('Problem');
  return schema ?? { type: 'string', contentMediaType: type };
}

/** The route that answers with the description of all, itself among them. */
export function openApiRoute(others: readonly Route[]): Route {
  const route: Route = {
    method: 'GET',
    path: '/openapi.json',
    operationId: 'describe',
    summary: 'This description.',
    access: 'public',
    answers: { 200: { description: 'OpenAPI 3.1.', schema: { type: 'object' } } },
    handle: async () => new Response(text, { headers: { 'content-type': 'application/json' } }),
  };
  const text = JSON.stringify(describeRoutes([...others, route]));
  return route;
}
