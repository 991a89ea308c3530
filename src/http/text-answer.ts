/** The texts of answers, for whoever can send a text as it is instead of reading it back out of a stream. */
const texts = new WeakMap<Response, string>();

/** An answer that is one text, which {@link textOf} remembers. */
export function textAnswer(text: string, init: ResponseInit): Response {
  const response = new Response(text, init);
  texts.set(response, text);
  return response;
}

/** The whole body of a {@link textAnswer}; undefined for any other. */
export function textOf(response: Response): string | undefined {
  return texts.get(response);
}
