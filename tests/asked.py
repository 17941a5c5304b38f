"""What the tests of the site ask in either browser."""

# query, where one of the first three results has to lead
QUERIES = [
    ("Theorem 2.3.5", "book/2-newton/03-newton-ntk.html#thm-newton-4"),
    ("Proposition 2.2.3", "book/2-newton/02-exact-step.html#prop-blocks-decide"),
    ("convergence in the infinite-width limit", "book/2-newton/03-newton-ntk.html#thm-newton-4"),
    ("push-through", "book/2-newton/02-exact-step.html#the-push-through-identity"),
    ("Lemma 20", "book/2-newton/02-exact-step.html#lem-definite"),
    ("lemma 20", "book/appendix/proofs-2.html#lemma-20-a-sufficient-regularization"),
    ("riedl theorem 10", "book/2-newton/07-high-probability.html#thm-prob-10"),
    ("Exercise 2.3.3", "book/2-newton/03-newton-ntk.html#ex-nntk-alpha"),
    ("newton_step", "book/appendix/library-methods.html#nntk_lib.methods.newton.newton_step"),
]

SPACING = """* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
p { margin-bottom: 2em !important; }"""  # WCAG 2.2, 1.4.12

# every control back to where the page starts
RESET = """() => document.querySelectorAll('.nntk-explorer [data-param]').forEach(e => {
  if (e.options) e.selectedIndex = [...e.options].findIndex(o => o.defaultSelected);
  else e.value = e.defaultValue;
  e.dispatchEvent(new Event('input', {bubbles: true}));
})"""
