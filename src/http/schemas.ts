import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { ProblemError } from './problem.ts';
import type { Schema } from './route.ts';

/** Compares values with the schemas of routes: the same that `/openapi.json` shows. */
export class Schemas {
  readonly #ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
  readonly #coercing = new Ajv2020({
    strict: true,
    allowUnionTypes: true,
    coerceTypes: true,
    useDefaults: true,
  });

  /** Checks bodies: throws `body_invalid` with a pointer. */
  body(schema: Schema): (value: unknown) => void {
    const validate = this.#ajv.compile(schema);
    return (value) => {
      if (!validate(value)) throw wrong(validate, 'body_invalid', 'The body');
    };
  }

  /** Reads query strings: throws `parameter_invalid` for what is unknown, doubled or of the wrong kind. */
  query(schema: Schema | undefined): (parameters: URLSearchParams) => Readonly<Record<string, unknown>> {
    const validate = this.#coercing.compile({ additionalProperties: false, type: 'object', ...schema });
    return (parameters) => {
      const values: Record<string, unknown> = Object.create(null);
      for (const [name, value] of parameters) {
        if (name in values) {
          throw new ProblemError(400, 'parameter_invalid', 'A parameter stands in the query string twice.', {
            pointer: `/${name}`,
          });
        }
        values[name] = value;
      }
      if (!validate(values)) throw wrong(validate, 'parameter_invalid', 'The query string');
      return values;
    };
  }
}

function wrong(
  validate: ValidateFunction,
  code: 'body_invalid' | 'parameter_invalid',
  what: string,
): ProblemError {
  const error = validate.errors![0]!;
  const pointer = `${error.instancePath}${missingOrUnknown(error)}`;
  return new ProblemError(400, code, `${what}${pointer && ` at ${pointer}`} ${error.message}.`, {
    ...(pointer === '' ? {} : { pointer }),
    ...(error.keyword === 'additionalProperties' ? { hint: 'known are those of /openapi.json' } : {}),
  });
}

function missingOrUnknown({ params }: ErrorObject): string {
  const { missingProperty, additionalProperty } = params as Record<string, unknown>;
  const name = missingProperty ?? additionalProperty;
  return typeof name === 'string' ? `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}` : '';
}
