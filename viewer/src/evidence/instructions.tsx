/** First of all: that a file cannot vouch for itself, and how to check it with something else. */
export function Instructions() {
  return (
    <section className="instructions" aria-labelledby="elsewhere">
      <h2 id="elsewhere">Check it with a verifier from elsewhere</h2>
      <p>
        A file cannot vouch for itself: whoever changes the data can change the program in this page, too.
        What this page says is worth as much as the way by which it reached you. For more than that, take a
        verifier from its publisher, and the public key of the log from its owner, by another way than this
        file:
      </p>
      <pre>
        <code>
          {'indelible verify FILE --vkey KEY\npython3 indelible_verify.py evidence FILE --vkey KEY'}
        </code>
      </pre>
    </section>
  );
}
