const ENDED = "The program that serves this page has ended; start it again: make app.";

/** What the server has at `path`; throws an Error with the one line that it, or the lack of it, says. */
export async function get(path) {
  const answer = await fetch(path).catch(() => {
    throw new Error(ENDED);
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}
