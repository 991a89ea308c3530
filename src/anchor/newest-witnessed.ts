import { VerificationError } from '../bytes/index.ts';
import { maySatisfyPolicy, type Policy, parseNote } from '../note/index.ts';

/** Whether a published note bears the lines that a policy asks for: else there is nothing to verify. What is no note bears none. */
export function mayBeWitnessed(policy: Policy, note: unknown): boolean {
  try {
    return note instanceof Uint8Array && maySatisfyPolicy(policy, parseNote(note));
  } catch (error) {
    if (error instanceof VerificationError) return false;
    throw error;
  }
}
