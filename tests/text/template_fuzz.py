"""Random expressions and templates of the dialect, for comparison with jinja2."""

VARIABLES = {
    "n": 3,
    "z": 0,
    "neg": -7,
    "f": 2.5,
    "s": "Hello World",
    "e": "",
    "u": "中文 ünïcode 🙂 ß",
    "t": "  padded\n\ttext  \n",
    "q": "it's \"quoted\" \\ <b>&amp;</b> \x01\u2028",
    "l": [3, 1, 2],
    "ls": ["b", "A", "c", "a"],
    "m": [1, "x", None, True, 2.0, [1, 2], {"k": "v"}],
    "d": {"a": 1, "b": {"c": [10, 20]}, "items": "shadow", "Z": None, "with space": "中"},
    "o": [{"k": "v1", "n": 2}, {"k": "V0", "n": 1}, {"k": None}],
    "no": None,
    "yes": True,
}
NAMES = list(VARIABLES) + ["missing"]
LITERALS = [
    "0", "1", "2", "-1", "5", "10", "1.5", "0.1", "1e3", "1e22", "1e-7", "true", "false", "none", "''", "'a'", "'ab'",
    "' '", "'World'", "'中'", "'%s'", "'%d|%5.2f'", "'{} {}'", "'a,b,,c'", "'12'", "' 7 '", "'3.9'", "'\\n'", "\"it's\"",
    "[]", "()", "{}", "[1, 2]", "(1,)", "{'a': 1}", "['x', 'y']", "[[1, 'a'], [2, 'b']]", "range(3)",
]  # fmt: skip
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in"]
FILTERS = [
    "upper", "lower", "title", "capitalize", "trim", "length", "count", "first", "last", "list", "string", "int", "float",
    "abs", "round", "sort", "unique|list", "reverse", "reverse|list", "sum", "min", "max", "join", "join(', ')", "tojson",
    "tojson(indent=2)", "items|list", "dictsort", "default('d')", "d('d', true)", "replace('a', 'bb')",
    "replace('', '-')", "replace('l', '', 1)", "indent", "indent(2, true)", "indent('> ', blank=true)",
    "batch(2)|list", "slice(2)|list", "batch(2, 'x')|list", "slice(2, 'x')|list", "map('upper')|list",
    "map(attribute='k')|list", "map(attribute='k', default='z')|list", "map('string')|join('+')", "select|list",
    "reject|list", "select('odd')|list", "select('string')|list", "reject('none')|list", "selectattr('k')|list",
    "selectattr('k', 'equalto', 'v1')|list", "rejectattr('n', 'defined')|list", "sort(reverse=true)",
    "sort(case_sensitive=true)", "sort(attribute='n')", "center(9)", "round(1)", "round(2, 'ceil')", "int(9)", "int(base=16)",
    "float(1.5)", "format(1)", "format('a', 2)", "attr('upper')", "attr('a')", "tojson(sort_keys=true)", "tojson(true)",
    "tojson(separators=(',', ':'))", "trim('aeH ')", "map('length')|list", "select('in', [1, 'x'])|list", "sum(start=1)",
    "min(attribute='n')", "join('|', attribute='k')", "select('gt', 1)|list", "first|upper", "list|length",
]  # fmt: skip
TESTS = [
    "defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "sequence", "iterable",
    "true", "false", "odd", "even", "lower", "upper", "callable", "divisibleby 2", "divisibleby(3)", "eq 1", "equalto('a')",
    "ne(none)", "in [1, 'a', none]", "gt 1", "lt(2)", "ge 1", "le 1", "not defined", "not string", "sameas true", "filter",
]  # fmt: skip
SUFFIXES = [
    ".a", ".b", ".k", ".items()", ".keys()|list", ".values()|list", ".get('a')", ".get('x', 'dflt')", ".upper()", ".lower()",
    ".strip()", ".strip('aH')", ".lstrip()", ".rstrip('d \\n')", ".split()", ".split(',')", ".split('l', 1)", ".rsplit(None, 1)",
    ".rsplit('l', 1)", ".splitlines()", ".splitlines(true)", ".startswith('H')", ".endswith(('d', 'c'))", ".find('l')",
    ".rfind('l')", ".count('l')", ".index(1)", ".count(1)", ".replace('l', 'L')", ".replace('l', 'L', 1)", ".title()",
    ".capitalize()", ".join(['x', 'y'])", ".join('ab')", ".format('p', 'q')", ".isdigit()", ".isalpha()", ".isspace()",
    ".isupper()", ".islower()", ".isalnum()", ".partition(' ')", ".rpartition('l')", ".removeprefix('He')",
    ".removesuffix('ld')", ".zfill(6)", ".center(12, '*')", ".ljust(12)", ".rjust(12, '中')", ".append(1)", ".pop()", "['a']",
    "['items']", "['upper']()", "[0]", "[1]", "[-1]", "[9]", "[:2]", "[1:]", "[::-1]", "[-2:]", "[::2]", "[5:1:-2]", "[:-1]", "[n]",
    "['b'].c[1]", ".nope", "[none]", "[1.0]", "[true]",
]  # fmt: skip


def expression(rng, depth):
    """A random expression; most have a value, some an error."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(NAMES if rng.random() < 0.5 else LITERALS)
    inner = lambda: expression(rng, depth - 1)  # noqa: E731
    kind = rng.randrange(13)
    if kind < 3:
        return f"{inner()} {rng.choice(BINARY)} {inner()}"
    if kind < 5:
        return f"({inner()}){rng.choice(SUFFIXES)}"
    if kind < 8:
        return f"({inner()})|{rng.choice(FILTERS)}"
    if kind == 8:
        return f"({inner()}) is {rng.choice(TESTS)}"
    if kind == 9:
        return f"{rng.choice(['not', '-', '+'])} ({inner()})"
    if kind == 10:
        return f"({inner()} if {inner()} else {inner()})"
    if kind == 11:
        return rng.choice(["[{}, {}]", "({}, {})", "{{'x': {}, 'y': {}}}", "{} ~ {}"]).format(inner(), inner())
    return f"{inner()} {rng.choice(['<', '==', 'in'])} {inner()} {rng.choice(['>=', '!=', '<'])} {inner()}"


SPACES = ["", "", " ", "\n", "\n  ", "  \n", "\t", "a", " b ", "\nc\n", "x  \n  ", "\n\n", "\r\n", "{ %", "中\u3000"]


def template(rng, depth):
    """A random template with statements and whitespace control."""

    def tag(text):
        left = rng.choice(["{%", "{%", "{%-", "{%+"])
        right = rng.choice(["%}", "%}", "-%}", "+%}"])
        return f"{rng.choice(SPACES)}{left} {text} {right}{rng.choice(SPACES)}"

    def show(text):
        return f"{rng.choice(['{{', '{{-'])} {text} {rng.choice(['}}', '-}}'])}"

    def body(level):
        return "".join(piece(level) for _ in range(rng.randrange(1, 4)))

    def loop(level):
        head = rng.choice(
            ["for i in l", "for i in range(n)", "for i in u", "for k, v in d|dictsort", "for i in m if i", "for i in []",
             "for i in o|selectattr('n')", "for k in d", "for i, (a, b) in [[1, [2, 3]]]", "for i in l if i != n"]
        )  # fmt: skip
        extra = rng.choice(["", "", tag("if loop.index > 1") + rng.choice([tag("break"), tag("continue")]) + tag("endif")])
        other = rng.choice(["", tag("else") + "none"])
        shown = show(rng.choice(LOOP_EXPRESSIONS))
        return tag(head) + shown + extra + body(level - 1) + other + tag("endfor")

    def piece(level):
        kind = rng.randrange(12) if level > 0 else rng.randrange(4)
        if kind == 0:
            return rng.choice(SPACES) + "text" + rng.choice(SPACES)
        if kind == 1:
            return show(rng.choice(["x", "ns.c", "i", "s", "n", expression(rng, 1)]))
        if kind == 2:
            return rng.choice(["{# note #}", "{#- note -#}", "  {# a\n b #}\n", "{#+ c +#}", "{% raw %} {{ r }} {%- endraw %}\n"])
        if kind == 3:
            return tag(rng.choice(["set x = n", "set x = (x or 0) + 1", "set ns.c = ns.c + 1", "set x, y = 1, s"]))
        if kind < 6:
            middle = rng.choice(["", tag("else") + body(level - 1), tag("elif yes") + body(level - 1)])
            return tag("if " + expression(rng, 1)) + body(level - 1) + middle + tag("endif")
        if kind < 9:
            return loop(level)
        if kind == 9:
            return tag("set x") + body(level - 1) + tag("endset")
        if kind == 10:
            call = rng.choice(["show('a')", "show(1, b=x)", "show()", "show('p', 'q', 'r')", "show(c=1)", "show(*l)"])
            return tag("macro show(a, b='dflt')") + "[" + show("a") + show("b") + body(level - 1) + "]" + tag("endmacro") + show(call)
        return rng.choice(
            [
                tag("filter upper") + body(level - 1) + tag("endfilter"),
                tag("with x = 5, y = x") + body(level - 1) + show("y") + tag("endwith"),
                tag("generation") + body(level - 1) + tag("endgeneration"),
                tag("macro w(a)") + show("a") + show("caller(a)") + tag("endmacro") + tag("call(p) w(n)") + show("p") + tag("endcall"),
            ]
        )

    return "{% set ns = namespace(c=0) %}" + body(depth) + show("ns.c")


LOOP_EXPRESSIONS = [
    "i", "loop.index", "loop.index0", "loop.first", "loop.last", "loop.length", "loop.revindex", "loop.revindex0",
    "loop.previtem", "loop.nextitem", "loop.cycle('a', 'b')", "loop.depth", "k", "v", "loop.nope", "x",
]  # fmt: skip
