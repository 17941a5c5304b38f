/* A browser may refuse to store: all cookies blocked, a sandboxed frame of a learning platform. The theme and the search
   ask for storage all the same; then a memory that lasts as long as the page stands in. Runs before every other script. */
(function () {
  "use strict";

  function stores(name) {
    try {
      window[name].getItem("");
      return true;
    } catch { // refused, or not there
      return false;
    }
  }

  function memory() {
    const kept = new Map();
    return {
      getItem: (key) => kept.get(String(key)) ?? null,
      setItem: (key, value) => { kept.set(String(key), String(value)); },
      removeItem: (key) => { kept.delete(String(key)); },
      clear: () => { kept.clear(); },
      key: (index) => Array.from(kept.keys())[index] ?? null,
      get length() { return kept.size; },
    };
  }

  for (const name of ["localStorage", "sessionStorage"]) {
    if (!stores(name)) Object.defineProperty(window, name, { value: memory(), configurable: true });
  }
})();
