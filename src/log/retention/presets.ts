import type { RetentionPolicy } from '../../event/index.ts';

/** A policy that is common in a field, and why. */
export interface RetentionPreset {
  readonly rules: RetentionPolicy;
  /** The text that it is commonly derived from, and what that asks for, in a sentence. */
  readonly reason: string;
}

/** Policies that are common, by name. They are practice, not law: whether one fits is for whoever is answerable for the log. */
export const retentionPresets = Object.freeze({
  'pci-dss': preset('1y', 'PCI DSS 4.0, 10.5.1: audit logs are retained for at least 12 months'),
  hipaa: preset(
    '6y',
    'HIPAA, 45 CFR 164.316(b)(2): required documentation is kept for six years, which is commonly applied to audit logs',
  ),
  sox: preset(
    '7y',
    'SOX section 802, 17 CFR 210.2-06: records relevant to an audit are kept for seven years',
  ),
  'sec-17a-4': preset('6y', 'SEC 17a-4(b): several kinds of broker-dealer records are kept for six years'),
  'eu-ai-act': preset(
    '1y',
    'EU AI Act, articles 19 and 26(6): logs of high-risk systems are kept for at least six months; a year leaves room for an inquiry',
  ),
} satisfies Readonly<Record<string, RetentionPreset>>);

function preset(keep: string, reason: string): RetentionPreset {
  return Object.freeze({ rules: Object.freeze([Object.freeze({ match: '*', keep })]), reason });
}
