// Greys out a page whose data is old, and scrolls a log to its end. Everything else works without this file.
(() => {
  "use strict";
  const asOf = document.querySelector("[data-as-of]");
  if (asOf) {
    const at = Number(asOf.dataset.asOf);
    const skew = Number(asOf.dataset.now) - Date.now();
    const look = () => {
      const age = Math.max(0, Math.round((Date.now() + skew - at) / 1000));
      const old = age > 30;
      asOf.classList.toggle("stale", old && asOf.dataset.live === "yes");
      const text = asOf.querySelector("[data-age]");
      if (text) text.textContent = age < 60 ? `${age} s ago` : `${Math.floor(age / 60)} min ago: reload`;
    };
    look();
    setInterval(look, 5000);
  }
  for (const log of document.querySelectorAll("pre.log")) log.scrollTop = log.scrollHeight;
})();
