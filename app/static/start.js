/** The first script of the page: begin, and go to the log-in when it has run out. */
import { start } from "/ui/ui.js";

const plain = window.fetch.bind(window);

window.fetch = async (...request) => {
  const answer = await plain(...request);
  if (answer.status === 401 && new URL(answer.url || location.href).origin === location.origin) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  return answer;
};

start();
