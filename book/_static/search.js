/* Search by name. Sphinx puts this file into language_data.js (html_search_scorer), after its own search.
   Results that hold every word of the query in their title come first and lead to the place in the page. */

// Opened from a disk or in a sandboxed frame, a page may not read other pages: results come without excerpts.
if (window.origin === "null") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// An excerpt has the formulas of its page as TeX: what remains without delimiters, braces and backslashes can be read.
const textOf = Search.htmlToText;
Search.htmlToText = (...page) => textOf(...page)
  .replace(/\\(begin|end)\{[^}]*\}|\\[()[\]{},;:!|]|\$+|\\(left|right|bigl?|bigr?|tfrac|lVert|rVert|lvert|rvert)(?![a-z])/g, " ")
  .replace(/\\([a-zA-Z]+)/g, " $1 ").replace(/[{}\\]/g, " ").replace(/ {2,}/g, " ");

const wordsOf = (text) => text.toLowerCase().match(/\d+(\.\d+)*|[\p{Letter}_]+/gu) || [];

// Every word asked for begins a word of the title; a number is meant exactly: 2 is neither 2.1 nor 20.
const holds = (title, asked) => asked.every((word) => title.some(
  (other) => other === word || (!/^\d/.test(word) && other.startsWith(word))));

function findByName(query) {
  const { alltitles, titles, docnames, filenames } = Search._index;
  const asked = wordsOf(query);
  const found = [];
  for (const [title, places] of Object.entries(alltitles)) {
    const words = wordsOf(title);
    if (!asked.length || !holds(words, asked)) continue;
    const together = words.join(" ").includes(asked.join(" ")) ? 1 : 0; // "Lemma 20", not "Lemma 2.1 ... equation 20"
    for (const [file, id] of places) {
      const score = 100 + 100 * together + Math.round(50 * asked.length / words.length);
      const page = titles[file] === title ? "" : "in " + titles[file];
      found.push([docnames[file], title, id ? "#" + id : "", page, score, filenames[file]]);
    }
  }
  return found.sort((a, b) => a[4] - b[4]); // the last is shown first
}

const searchByWords = Search._performSearch;
Search._performSearch = (query, ...rest) => {
  const named = findByName(query);
  const places = new Set(named.map((result) => result[0] + result[2]));
  return [...searchByWords(query, ...rest).filter((result) => !places.has(result[0] + result[2])), ...named];
};
