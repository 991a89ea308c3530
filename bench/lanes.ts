/** Runs `work` in so many lanes at once for so long, after a warm-up; answers how often a second it was done. */
export async function inLanes(
  lanes: number,
  ms: number,
  work: (n: number) => Promise<void>,
): Promise<number> {
  let n = 0;
  const until = async (end: number): Promise<number> => {
    let done = 0;
    const lane = async (): Promise<void> => {
      while (performance.now() < end) {
        await work(n++);
        done += 1;
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return done;
  };
  await until(performance.now() + ms / 5);
  const begin = performance.now();
  const done = await until(begin + ms);
  return (done * 1000) / (performance.now() - begin);
}
