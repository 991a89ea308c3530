import { useQueryClient } from '@tanstack/react-query';
import { useAnnounce } from './announce.tsx';
import { useViewer } from './context.tsx';

/** Checks everything in view anew: asks for the bytes again, and for the newest checkpoint. Says what came of it. */
export function useVerify(): () => void {
  const { proof } = useViewer();
  const client = useQueryClient();
  const announce = useAnnounce();
  const verify = async (): Promise<void> => {
    await Promise.all([
      proof.refresh(),
      client.refetchQueries({ queryKey: ['events', proof.log], type: 'active' }),
      client.refetchQueries({ queryKey: ['event', proof.log], type: 'active' }),
    ]);
    const { head, broken } = proof.state();
    if (broken.length > 0) announce(`Verified in this browser: broken at index ${broken[0]}.`);
    else if (head?.state === 'sealed')
      announce(`Verified in this browser: sealed, ${head.head.size} entries.`);
    else announce('This log could not be verified in this browser.');
  };
  return () => void verify();
}
