import { given } from './options.ts';

/** Where a bucket lies, as given on the command line. */
export interface S3Place {
  readonly s3Endpoint?: string;
  readonly s3Region?: string;
}

/** The options of a bucket, of those that were given. */
export function s3Place({ s3Endpoint, s3Region }: S3Place): { endpoint?: string; region?: string } {
  return given({ endpoint: s3Endpoint, region: s3Region });
}
