// Searches the list of accounts as one types. Where no script runs, the form's button does the same.
"use strict";
(() => {
  const form = document.querySelector("form.filter");
  const box = form && form.querySelector("input[type=search]");
  const told = document.getElementById("told");
  if (!box || !told || !window.fetch) return;
  const parts = ["summary", "lists", "order", "results"];
  let pause;
  let latest = 0;

  const address = () => {
    const fields = [...new FormData(form)].filter(([, value]) => value !== "");
    return `${form.action}?${new URLSearchParams(fields)}`;
  };

  const search = async () => {
    const number = ++latest;
    const asked = address();
    try {
      const answer = await fetch(asked, { headers: { accept: "text/html" } });
      const text = await answer.text();
      if (!answer.ok || number !== latest) return;  // refused, or overtaken by what was typed since
      const page = new DOMParser().parseFromString(text, "text/html");
      for (const part of parts) document.getElementById(part).replaceWith(page.getElementById(part));
      told.textContent = document.querySelector("h1").textContent;
      history.replaceState(null, "", asked);
    } catch {
      // no answer: the list stays as it is, and the form's button asks again
    }
  };

  box.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(search, 250);
  });
})();
