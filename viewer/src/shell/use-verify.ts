import { useQueryClient } from '@tanstack/react-query';
import { useViewer } from './context.tsx';

/** Checks everything in view anew: asks for the bytes again, and for the newest checkpoint. */
export function useVerify(): () => void {
  const { proof } = useViewer();
  const client = useQueryClient();
  return () => {
    void proof.refresh();
    void client.refetchQueries({ queryKey: ['events', proof.log], type: 'active' });
    void client.refetchQueries({ queryKey: ['event', proof.log], type: 'active' });
  };
}
